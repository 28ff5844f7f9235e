import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { computeTaskId } from '../../src/core/task-id.js';
import { DaemonProcess, run } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { hasProgram, skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

/** Below what any daemon has open: whatever is opened from then on fails with EMFILE, as after a flood of connections. */
const TOO_FEW = 10;
const ENOUGH = 1000;

describe('a daemon whose descriptors strangers have used up', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();

  it('lives on, and serves as before when there are some again', async function () {
    if (!hasProgram('prlimit')) return skipLoudly(this, 'needs prlimit');
    const origin = await Origin.start(100_000);
    const daemon = await DaemonProcess.start(join(directory(), 'd'), {}, { args: ['--log-level', 'debug'] });
    const allowFiles = async (count: number): Promise<void> => {
      const { code, stderr } = await run('prlimit', ['--pid', String(daemon.pid), `--nofile=${count}:`]);
      assert.equal(code, 0, stderr);
    };
    const hasLogged = (text: string) => () => daemon.output.some((line) => line.includes(text));

    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      await allowFiles(TOO_FEW);
      const stranger = connect(daemon.ports.http, '127.0.0.1').on('error', () => undefined);
      await until('the daemon to look at its memory', hasLogged('how large the process is can not be told'));
      stranger.destroy();
      await allowFiles(ENOUGH);

      const { code, stderr } = await daemon.dfget(origin.url(), '-O', join(directory(), 'output'));
      assert.equal(code, 0, stderr);

      const taskId = computeTaskId({ url: origin.url() });
      const ask = async (path: string): Promise<IncomingMessage> => {
        const [answer] = (await once(get({ port: daemon.ports.http, path, agent }), 'response')) as [IncomingMessage];
        answer.resume();
        await once(answer, 'end');
        return answer;
      };
      assert.equal((await ask('/')).statusCode, 404);
      await allowFiles(TOO_FEW);
      const refused = await ask(`/download/${taskId.slice(0, 3)}/${taskId}?peerId=p`);
      assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [503, '1'], 'the piece is not missing');
      await allowFiles(ENOUGH);
      assert.equal((await ask(`/download/${taskId.slice(0, 3)}/${taskId}?peerId=p`)).statusCode, 200);
      assert.equal(await daemon.metric('dfpeer_upload_refused_total', { cause: 'out-of-files' }), 1);
      assert.equal(await daemon.end(), 0);
    } finally {
      agent.destroy();
      await daemon.end('SIGKILL');
      await origin.close();
    }
  });
});
