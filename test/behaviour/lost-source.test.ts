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
import { freePort } from '../support/free-port.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { useEnds } from '../support/use-ends.js';

const MIB = 1024 * 1024;
const PIECE = 4 * MIB;
const PIECES = 6;

describe('a child whose parents have nothing to give', function () {
  this.timeout(100_000);
  const directory = useTemporaryDirectory();
  const ends = useEnds();

  /** It answers, and never has a piece; or says that others have them, at a port where nobody is. */
  async function startParent(offeredPort?: number): Promise<GrpcServer> {
    const answer = (call: ServerWritableStream<unknown, unknown>): void => call.sendMetadata(new Metadata());
    const offer = (call: ServerWritableStream<unknown, unknown>): void => {
      answer(call);
      if (offeredPort === undefined) return;
      for (let number = 0; number < PIECES; number++)
        call.write({ number, offset: number * PIECE, length: PIECE, ip: '127.0.0.1', tcpPort: offeredPort });
    };
    const implementation: DfdaemonUploadHandlers = { SyncPieces: offer, SyncHost: answer } as never;
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

  /** Resolves with what --explain says. */
  async function download(child: DaemonProcess, origin: Origin): Promise<string> {
    const output = join(child.directory, 'output');
    const flags = ['--no-progress', '--explain', '--timeout', '40s'];
    const { code, stderr } = await child.dfget(origin.url(), '-O', output, ...flags);
    assert.equal(code, 0, stderr);
    assert.ok((await readFile(output)).equals(origin.content));
    return stderr;
  }

  it('asks its scheduler again when one is killed, instead of waiting for the other, which may wait for it', async () => {
    const origin = await Origin.start(PIECES * PIECE);
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

  it('says why its parents were no help, not only that the scheduler knows no others', async () => {
    const origin = await Origin.start(PIECES * PIECE);
    ends.push(() => origin.close());
    const closedPort = await freePort();
    const parent = await startParent(closedPort);
    const scheduler = await ScriptedScheduler.start(async (conversation) => {
      for (;;) {
        const { request } = await conversation.next();
        if (request === 'registerPeerRequest')
          conversation.answer({ normalTaskResponse: { candidateParents: [candidate('parent', parent.port)] } });
        if (request === 'reschedulePeerRequest')
          conversation.answer({ needBackToSourceResponse: { description: 'nobody else has it' } });
      }
    });
    ends.push(() => scheduler.kill());
    const why = /^why the origin: (.*)$/m.exec(await download(await startChild(scheduler), origin))?.[1] ?? '';
    assert.match(why, new RegExp(`127\\.0\\.0\\.1:${closedPort}.*; then the scheduler says: nobody else has it$`));
  });

  it('does not wait for itself, when the scheduler knows it by the name of an earlier life', async () => {
    const origin = await Origin.start(PIECES * PIECE);
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
