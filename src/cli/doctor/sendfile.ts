import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { nativeSupport, SendFileEngine, type SendFileResult } from '../../../native/index.js';
import { withDeadline } from '../../core/deadline.js';
import { errnoOf, messageOf } from '../../core/errors.js';
import type { DoctorContext } from './context.js';
import { existingPart } from './directories.js';
import { findingsOf, type Finding } from './finding.js';

const found = findingsOf('sendfile');

/** More than what is sent at once from memory, so that a worker takes part. */
const PROBE_BYTES = 1024 * 1024;
export const SENDFILE_CHECK_TIMEOUT_MS = 10_000;
const REMEDY = 'keep the store (storage.dir) on a local file system such as ext4 or xfs; until then uploads are copied';

/** Really sends a file of the store's file system over a connection, as uploads do. */
export async function checkSendfile({ settings }: DoctorContext): Promise<Finding[]> {
  if (!nativeSupport().available) return [];
  const directory = await existingPart(settings.storeDirectory);
  try {
    const options = { waitingFor: 'sendfile to send a probe', timeoutMs: SENDFILE_CHECK_TIMEOUT_MS };
    return [await withDeadline(options, () => sendProbe(directory))];
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    // That nobody may write there is told by the check of the directories.
    if (['EACCES', 'EROFS'].includes(errno)) return [];
    const remedy = ['ENOSPC', 'EDQUOT'].includes(errno) ? 'make room there, and run this again' : REMEDY;
    return [found.warn(`sendfile could not be tried in ${directory}: ${messageOf(error)}`, remedy)];
  }
}

async function sendProbe(directory: string): Promise<Finding> {
  const probe = await mkdtemp(join(directory, '.dfdaemon-doctor-'));
  try {
    const content = randomBytes(PROBE_BYTES);
    const file = await open(join(probe, 'probe'), 'wx+', 0o600);
    try {
      await file.writeFile(content);
      return judge(directory, content, await sendOverLoopback(file));
    } finally {
      await file.close();
    }
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

function judge(directory: string, content: Buffer, { result, received }: Sent): Finding {
  if (result.outcome !== 'complete')
    return found.warn(`sendfile does not work in ${directory}: ${result.error?.message ?? result.outcome}`, REMEDY);
  if (!received.equals(content))
    return found.fail(`sendfile in ${directory} sent other bytes than the file has`, 'keep the store on another disk');
  return found.ok(`sendfile works in ${directory}`);
}

interface Sent {
  result: SendFileResult;
  received: Buffer;
}

async function sendOverLoopback(file: FileHandle): Promise<Sent> {
  const engine = new SendFileEngine({ workers: 1 });
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    const [socket] = (await once(server, 'connection')) as [Socket];
    const received = collect(client);
    const result = await engine.sendFile(socket, file, { offset: 0, length: PROBE_BYTES });
    socket.end();
    return { result, received: await received };
  } finally {
    client.destroy();
    server.close();
    await engine.close();
  }
}

async function collect(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
