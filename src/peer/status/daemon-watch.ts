import type { Registry } from 'prom-client';
import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';
import type { OnUpload } from '../../upload/index.js';
import type { PieceFetcher } from '../fetch/piece-fetcher.js';
import { DaemonView, type DaemonViewSources } from './daemon-view.js';
import { HostLedger } from './host-ledger.js';
import { LogTail } from './log-tail.js';
import { Throughput, type ThroughputRates } from './throughput.js';
import { WatchedFetcher } from './watched-fetcher.js';

/** The upload side's count of bytes by route. */
const UPLOADED_BYTES = 'dfpeer_upload_bytes_total';

/** What is noted while the daemon runs, so that operators can be told: made first, shown once everything runs. */
export class DaemonWatch {
  readonly tail: LogTail;
  readonly ledger: HostLedger;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.tail = new LogTail(clock);
    this.ledger = new HostLedger(clock);
  }

  /** For the upload side. */
  readonly onUpload: OnUpload = ({ childIp }) => {
    const transfer = this.ledger.begin(childIp, 'uploads');
    return ({ bytesSent, result }) => {
      const left = result === 'client-closed' || result === 'stopped';
      transfer.moved(bytesSent);
      transfer.end(result === 'complete' ? 'complete' : left ? 'aborted' : 'failed');
    };
  };

  watchFetcher(inner: PieceFetcher): WatchedFetcher {
    return new WatchedFetcher(inner, this.ledger, this.#clock);
  }

  watchThroughput(fetcher: WatchedFetcher, registry: Registry, logger: Logger): Throughput {
    const read = async (): Promise<ThroughputRates> => ({
      ...(await uploadedBytes(registry)),
      ...fetcher.receivedBytes,
    });
    return new Throughput({ read, clock: this.#clock, logger });
  }

  view(sources: Omit<DaemonViewSources, 'ledger' | 'tail' | 'clock'>): DaemonView {
    return new DaemonView({ ...sources, ledger: this.ledger, tail: this.tail, clock: this.#clock });
  }
}

async function uploadedBytes(registry: Registry): Promise<Pick<ThroughputRates, 'sendfile' | 'copy' | 'paced'>> {
  const bytes = { sendfile: 0, copy: 0, paced: 0 };
  const metric = await registry.getSingleMetric(UPLOADED_BYTES)?.get();
  for (const { labels, value } of metric?.values ?? []) {
    const route: unknown = labels.route;
    if (route === 'sendfile' || route === 'copy' || route === 'paced') bytes[route] += value;
  }
  return bytes;
}
