import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import {
  findNotedSocket,
  MAX_SOCKET_NOTE_BYTES,
  readSocketNote,
  removeSocketNote,
  writeSocketNote,
} from '../../src/peer/socket-note.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('the note of where a daemon listens', () => {
  const directory = useTemporaryDirectory();
  let server: Server | undefined;

  afterEach(() => {
    server?.close();
    server = undefined;
  });

  const noteFile = (): string => join(directory(), 'listening.json');

  async function listen(): Promise<string> {
    const path = join(directory(), 'sock');
    server = createServer().listen(path);
    await once(server, 'listening');
    return path;
  }

  it('leads to the socket, is for nobody else, and goes', async () => {
    const note = { socketPath: await listen(), pid: 7 };
    await writeSocketNote(directory(), { ...note, pid: 6 });
    await writeSocketNote(directory(), note);
    assert.deepEqual(await readSocketNote(directory()), note);
    assert.equal(await findNotedSocket(directory()), note.socketPath);
    assert.equal((await stat(noteFile())).mode & 0o777, 0o600);
    await removeSocketNote(directory());
    await removeSocketNote(directory());
    assert.equal(await findNotedSocket(directory()), undefined);
  });

  it('leads nowhere when there is no socket', async () => {
    for (const socketPath of [join(directory(), 'none'), directory(), noteFile()]) {
      await writeSocketNote(directory(), { socketPath, pid: 7 });
      assert.equal(await findNotedSocket(directory()), undefined, socketPath);
    }
    const link = join(directory(), 'link');
    await symlink(await listen(), link);
    await writeSocketNote(directory(), { socketPath: link, pid: 7 });
    assert.equal(await findNotedSocket(directory()), undefined);
  });

  it('counts as none when it makes no sense', async () => {
    const path = await listen();
    const texts = [
      '',
      'null',
      '7',
      '{',
      '{}',
      JSON.stringify({ socketPath: path }),
      JSON.stringify({ socketPath: path, pid: '7' }),
      JSON.stringify({ socketPath: path, pid: -1 }),
      JSON.stringify({ socketPath: 'sock', pid: 7 }),
      JSON.stringify({ socketPath: `${path}\0`, pid: 7 }),
      JSON.stringify({ socketPath: `/${'a'.repeat(200)}`, pid: 7 }),
      `${JSON.stringify({ socketPath: path, pid: 7 })}${' '.repeat(MAX_SOCKET_NOTE_BYTES)}`,
    ];
    for (const text of texts) {
      await writeFile(noteFile(), text);
      assert.equal(await readSocketNote(directory()), undefined, text.slice(0, 100));
    }
  });

  it('counts as none when it is no file', async () => {
    execFileSync('mkfifo', [noteFile()]);
    assert.equal(await readSocketNote(directory()), undefined);
    await removeSocketNote(directory());
    const elsewhere = join(directory(), 'elsewhere');
    await writeFile(elsewhere, JSON.stringify({ socketPath: await listen(), pid: 7 }));
    await symlink(elsewhere, noteFile());
    assert.equal(await readSocketNote(directory()), undefined);
    await removeSocketNote(directory());
    await mkdir(noteFile());
    assert.equal(await readSocketNote(directory()), undefined);
    await removeSocketNote(directory());
  });
});
