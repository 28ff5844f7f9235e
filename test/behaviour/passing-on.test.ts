import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { until } from '../support/until.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const MIB = 1024 * 1024;
const PIECES = 4;

describe('daemons that pass pieces on while they arrive', function () {
  this.timeout(120_000);
  const directory = useTemporaryDirectory();
  let origin: Origin;
  let release: () => void;
  let cut: () => void;
  let daemons: DaemonProcess[];

  beforeEach(async () => {
    daemons = [];
    const halfTime = new Promise<void>((resolve, reject) => {
      release = resolve;
      cut = () => reject(new Error('the origin cuts its connections'));
    });
    halfTime.catch(() => undefined);
    origin = await Origin.start(PIECES * 4 * MIB, { halfTime });
  });

  afterEach(async () => {
    await Promise.all(daemons.map((daemon) => daemon.end()));
    await origin.close();
  });

  /** The first one brings the scheduler. */
  async function startDaemon(name: string): Promise<DaemonProcess> {
    const addrs = daemons.slice(0, 1).map(({ ports }) => `127.0.0.1:${ports.scheduler ?? 0}`);
    const scheduler = addrs.length === 0 ? {} : { scheduler: { addrs, embedded: { enable: false } } };
    // Whoever comes third finds the first one busy.
    const upload = { maxConcurrentTransfers: 2, queueTimeout: '100ms', server: { ip: '127.0.0.1', port: 0 } };
    const daemon = await DaemonProcess.start(join(directory(), name), {
      host: { hostname: name },
      upload,
      backend: { maxRetries: 10 },
      ...scheduler,
    });
    daemons.push(daemon);
    return daemon;
  }

  async function get(daemon: DaemonProcess, ...flags: string[]): Promise<void> {
    const output = join(daemon.directory, 'output');
    const { code, stderr } = await daemon.dfget(origin.url(), '-O', output, '--no-progress', ...flags);
    assert.equal(code, 0, stderr);
    assert.ok((await readFile(output)).equals(origin.content));
  }

  /** For the same piece, at most. */
  function timesAsked(): number {
    const ranges = origin.requests.map(({ range }) => range).filter((range) => range !== undefined);
    return Math.max(...ranges.map((range) => ranges.filter((other) => other === range).length));
  }

  const uploaded = (daemon: DaemonProcess): Promise<number> => daemon.metric('dfpeer_upload_bytes_total');
  const stored = (daemon: DaemonProcess): Promise<number> => daemon.metric('dragonfly_client_download_traffic');

  it('over two hops, before the origin has given the whole of any', async () => {
    const getting: Promise<void>[] = [];
    for (const name of ['one', 'two', 'three']) {
      const before = daemons.at(-1);
      getting.push(get(await startDaemon(name)));
      if (before === undefined) await until('the origin to be asked', () => origin.contentBytes >= 4 * MIB);
      else await until(`what comes to be passed on to ${name}`, async () => (await uploaded(before)) > 0);
    }
    assert.deepEqual(await Promise.all(daemons.map((daemon) => stored(daemon))), [0, 0, 0]);
    release();
    await Promise.all(getting);
  });

  it('and have the rest from elsewhere when it does not come', async () => {
    const [source, child] = [await startDaemon('source'), await startDaemon('child')];
    const getting = [get(source)];
    await until('the origin to be asked', () => origin.contentBytes >= 4 * MIB);
    getting.push(get(child));
    await until('some of a piece to be passed on', async () => (await uploaded(source)) > 0);
    origin.behaviour = {};
    cut();
    await Promise.all(getting);
    for (const daemon of daemons) assert.equal(await daemon.metric('dfpeer_download_bad_pieces_total'), 0);
  });

  it('and are told of again once there is more of what came no further, by a parent that is asked no more till then', async () => {
    const [source, child] = [await startDaemon('source'), await startDaemon('child')];
    const getting = [get(source)];
    await until('the origin to be asked', () => origin.contentBytes >= 4 * MIB);
    getting.push(get(child, '--disable-back-to-source'));
    await until('uploads to wait', async () => (await source.metric('dfpeer_upload_waiting_for_piece')) >= 2);
    origin.behaviour = { status: 503 };
    cut();
    await until('the origin to be asked in vain for seconds', () => timesAsked() >= 6);
    const refused = await source.metric('dfpeer_upload_refused_total', { cause: 'not-available' });
    assert.ok(refused <= PIECES, `${refused} requests were refused`);
    origin.behaviour = {};
    await Promise.all(getting);
    assert.deepEqual(child.output.filter((line) => line.includes('given up')), []); // prettier-ignore
  });
});
