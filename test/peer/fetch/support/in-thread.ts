import { FetchEngine } from '../../../../src/peer/fetch/fetch-engine.js';
import { unpackError } from '../../../../src/peer/fetch/error-message.js';
import type { Job, JobResult } from '../../../../src/peer/fetch/messages.js';
import type { Resolve } from '../../../../src/peer/fetch/origin/origin-guard.js';

export const THREAD_DEFAULTS = {
  allowedNetworks: [],
  authorities: { named: undefined, system: [], additional: [] },
  parentConnectTimeoutMs: undefined,
  originConnectTimeoutMs: undefined,
  connectionsPerOrigin: undefined,
};

/** Runs one job on the engine of the fetch threads, here, so that it can have a resolver of the test's own. */
export async function runInThread(job: Job, resolve: Resolve, allowedNetworks: string[] = []): Promise<JobResult> {
  let engine: FetchEngine | undefined;
  try {
    return await new Promise((done, fail) => {
      engine = new FetchEngine(
        { ...THREAD_DEFAULTS, allowedNetworks },
        (report) => {
          if (report.type === 'done') done(report.result);
          if (report.type === 'failed') fail(unpackError(report.error));
        },
        resolve,
      );
      engine.handle({ type: 'start', id: 1, job });
    });
  } finally {
    await engine?.close();
  }
}
