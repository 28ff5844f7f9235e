import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import { silentLogger } from '../../src/core/logger.js';
import type { DfdaemonUploadHandlers } from '../../src/generated/dfdaemon/v2/DfdaemonUpload.js';
import type { Peer } from '../../src/generated/common/v2/Peer.js';
import { DfdaemonUpload } from '../../src/grpc/protos.js';
import { startGrpcServer, type GrpcServer } from '../../src/grpc/server.js';
import { toDuration, toTimestamp } from '../../src/grpc/wire.js';
import { ScriptedScheduler } from '../scheduler-client/support/scripted-scheduler.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { useEnds } from '../support/use-ends.js';

const MIB = 1024 * 1024;

describe('a child whose parents have nothing to give', function () {
  this.timeout(100_000);
  const directory = useTemporaryDirectory();
  const ends = useEnds();

  /** It answers, and never has a piece. */
  async function startParent(): Promise<GrpcServer> {
    const answer = (call: ServerWritableStream<unknown, unknown>): void => call.sendMetadata(new Metadata());
    const implementation: DfdaemonUploadHandlers = { SyncPieces: answer, SyncHost: answer } as never;
    const server = await startGrpcServer({
      listen: { ip: '127.0.0.1', port: 0 },
      services: [{ name: 'dfdaemon.v2.DfdaemonUpload', definition: DfdaemonUpload.service, implementation }],
      logger: silentLogger,
    });
    ends.push(() => server.stop(0));
    return server;
  }

  async function startChild(scheduler: ScriptedScheduler): Promise<DaemonProcess> {
    const child = await DaemonProcess.start(join(directory(), 'child'), {
      scheduler: { addrs: [scheduler.address], embedded: { enable: false } },
    });
    ends.push(() => child.end());
    return child;
  }

  async function download(child: DaemonProcess, origin: Origin): Promise<void> {
    const output = join(child.directory, 'output');
    const { code, stderr } = await child.dfget(origin.url(), '-O', output, '--no-progress', '--timeout', '40s');
    assert.equal(code, 0, stderr);
    assert.ok((await readFile(output)).equals(origin.content));
  }

  it('asks its scheduler again when one is killed, instead of waiting for the other, which may wait for it', async () => {
    const origin = await Origin.start(24 * MIB);
    ends.push(() => origin.close());
    const [killed, stuck] = [await startParent(), await startParent()];
    const blocked: string[][] = [];
    const scheduler = await ScriptedScheduler.start(async (conversation) => {
      for (;;) {
        const { request, reschedulePeerRequest } = await conversation.next();
        const named = reschedulePeerRequest?.candidateParents.map(({ id }) => id) ?? [];
        if (named.length > 0) {
          blocked.push(named);
          conversation.answer({ needBackToSourceResponse: {} });
        } else if (request === 'registerPeerRequest' || request === 'reschedulePeerRequest')
          conversation.answer({
            normalTaskResponse: {
              candidateParents: [candidate('killed', killed.port), candidate('stuck', stuck.port)],
            },
          });
        if (request === 'downloadPeerStartedRequest') await killed.stop(0);
      }
    });
    ends.push(() => scheduler.kill());
    await download(await startChild(scheduler), origin);
    assert.deepEqual(blocked, [['killed']]);
  });

  it('does not wait for itself, when the scheduler knows it by the name of an earlier life', async () => {
    const origin = await Origin.start(24 * MIB);
    ends.push(() => origin.close());
    const blocked: string[][] = [];
    const scheduler = await ScriptedScheduler.start(async (conversation) => {
      for (;;) {
        const { request, reschedulePeerRequest } = await conversation.next();
        if (request === 'registerPeerRequest')
          conversation.answer({
            normalTaskResponse: { candidateParents: [candidate('former life', child.ports.grpc)] },
          });
        if (reschedulePeerRequest === undefined || reschedulePeerRequest === null) continue;
        blocked.push(reschedulePeerRequest.candidateParents.map(({ id }) => id));
        conversation.answer({ needBackToSourceResponse: {} });
      }
    });
    ends.push(() => scheduler.kill());
    const child = await startChild(scheduler);
    await download(child, origin);
    assert.deepEqual(blocked, [['former life']]);
  });
});

function candidate(id: string, port: number): Peer {
  const host = { id, hostname: id, ip: '127.0.0.1', port, downloadPort: port };
  const now = toTimestamp(Date.now());
  const task = { id: 'task', url: 'http://origin/', state: 'Running', createdAt: now, updatedAt: now };
  return { id, state: 'Running', cost: toDuration(0), task, host, createdAt: now, updatedAt: now };
}
