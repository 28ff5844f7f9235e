import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { OriginError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { NamedWaits } from '../../../src/peer/download/named-waits.js';
import { OriginRooms } from '../../../src/peer/download/origin-rooms.js';
import { MAX_RETRY_DELAY_MS, OriginSource, TOO_MANY_PATIENCE_MS } from '../../../src/peer/download/origin-source.js';
import { ManualClock } from '../../support/manual-clock.js';

type Context = ConstructorParameters<typeof OriginSource>;

/** An origin that answers with one refusal for so long, each time at once; then it tells what it has. */
class Stage {
  readonly clock = new ManualClock();
  attempts = 0;
  readonly #source: OriginSource;
  readonly #startedMs = this.clock.monotonicMs();

  constructor(refusal: {
    status: number;
    headers?: Record<string, string>;
    forMs: number;
    maxOriginAttempts?: number;
  }) {
    const { status, headers = {}, forMs, maxOriginAttempts = 4 } = refusal;
    const { clock } = this;
    const statOrigin = async (): Promise<object> => {
      this.attempts++;
      if (this.tookMs >= forMs) return {};
      throw new OriginError('DFP_ORIGIN_STATUS', `the origin answers ${status}`, { status, headers });
    };
    const dependencies = {
      ...{ clock, logger: silentLogger, random: () => 1, originRooms: new OriginRooms(clock), fetcher: { statOrigin } },
      settings: { maxOriginAttempts, originTimeoutMs: 10_000, originRequestHeader: {} },
    };
    const { signal } = new AbortController();
    const request = { url: 'http://origin.test/file', requestHeader: {}, trust: 'all' };
    this.#source = new OriginSource(dependencies as unknown as Context[0], request as unknown as Context[1], {
      ...{ signal, waits: new NamedWaits(clock), onBytes: () => undefined },
    });
  }

  get tookMs(): number {
    return this.clock.monotonicMs() - this.#startedMs;
  }

  async stat(options?: { canDoWithout?: boolean }): Promise<'told' | 'refused'> {
    let outcome: 'told' | 'refused' | undefined;
    this.#source.stat(options).then(
      () => (outcome = 'told'),
      () => (outcome = 'refused'),
    );
    for (;;) {
      await setImmediate();
      if (outcome !== undefined) return outcome;
      this.clock.advance(10);
    }
  }
}

describe('an origin that refuses to tell what it has', () => {
  const LONG_MS = 20_000;

  it('is asked for half a minute where it has too many requests, as the other nodes ask it as well', async () => {
    const stage = new Stage({ status: 429, forMs: LONG_MS });
    assert.equal(await stage.stat(), 'told');
    assert.ok(stage.tookMs < LONG_MS + MAX_RETRY_DELAY_MS);
    assert.ok(stage.attempts < 10, 'with pauses that grow');
  });

  it('is given up after that', async () => {
    const stage = new Stage({ status: 429, forMs: Infinity });
    assert.equal(await stage.stat(), 'refused');
    assert.ok(stage.tookMs >= TOO_MANY_PATIENCE_MS && stage.tookMs <= TOO_MANY_PATIENCE_MS + MAX_RETRY_DELAY_MS);
  });

  it('is asked for as long where it says when to come back', async () => {
    const stage = new Stage({ status: 503, headers: { 'retry-after': '20' }, forMs: LONG_MS });
    assert.equal(await stage.stat(), 'told');
  });

  it('is given up sooner where it says neither', async () => {
    const stage = new Stage({ status: 503, forMs: LONG_MS });
    assert.equal(await stage.stat(), 'refused');
    assert.equal(stage.attempts, 4);
  });

  it('is given up sooner where what is stored will do', async () => {
    const stage = new Stage({ status: 429, forMs: LONG_MS });
    assert.equal(await stage.stat({ canDoWithout: true }), 'refused');
    assert.equal(stage.attempts, 4);
  });

  it('is asked once where nobody wants more', async () => {
    const stage = new Stage({ status: 429, forMs: LONG_MS, maxOriginAttempts: 1 });
    assert.equal(await stage.stat(), 'refused');
    assert.equal(stage.attempts, 1);
  });
});
