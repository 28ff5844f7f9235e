import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { DfpeerError, type ErrorCode } from '../../../src/core/errors.js';
import { checkOutput } from '../../../src/peer/output/output-file.js';
import { placeOutput, type OutputRequest } from '../../../src/peer/output/place-output.js';
import { hasProgram, skipLoudly } from '../../support/skip.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { startCopy } from './support/start-copy.js';

const MIB = 1024 * 1024;
const CONTENT = randomBytes(100_000);
const hasCode =
  (code: ErrorCode, pattern = /./) =>
  (error: unknown) =>
    error instanceof DfpeerError && error.code === code && pattern.test(error.message);

describe('output file', () => {
  const directory = useTemporaryDirectory();
  const paths = async (): Promise<{ source: string; path: string }> => {
    const source = join(directory(), 'store');
    await writeFile(source, CONTENT);
    await mkdir(join(directory(), 'out'));
    return { source, path: join(directory(), 'out', 'file') };
  };
  const defaults: Omit<OutputRequest, 'source' | 'path'> = {
    contentLength: CONTENT.length,
    range: undefined,
    overwrite: false,
    forceHardLink: false,
    allowHardLink: true,
    assertUntouched: async () => undefined,
  };

  it('is a hard link where that works', async () => {
    const { source, path } = await paths();
    assert.equal(await placeOutput({ ...defaults, source, path }), 'hard-link');
    assert.equal((await stat(path)).ino, (await stat(source)).ino);
    assert.equal(await placeOutput({ ...defaults, source, path }), 'already-there');
    assert.deepEqual(await readdir(join(directory(), 'out')), ['file']);
  });

  it('is a copy of its own when hard links are not wanted, also in place of one', async () => {
    const { source, path } = await paths();
    await link(source, path);
    const request = { ...defaults, source, path, allowHardLink: false };
    await assert.rejects(placeOutput(request), hasCode('DFP_OUTPUT_EXISTS'));
    assert.match(await placeOutput({ ...request, overwrite: true }), /^(reflink|copy-file-range|copy)$/);
    assert.notEqual((await stat(path)).ino, (await stat(source)).ino);
    assert.deepEqual(await readFile(path), CONTENT);
    assert.deepEqual(await readdir(join(directory(), 'out')), ['file']);
  });

  it('is not there when its client stopped waiting at the last moment', async () => {
    const { source, path } = await paths();
    for (const allowHardLink of [true, false])
      for (const overwrite of [true, false]) {
        const waiting = new AbortController();
        const assertUntouched = async (): Promise<void> => waiting.abort();
        const request = { ...defaults, source, path, allowHardLink, overwrite, assertUntouched };
        await assert.rejects(placeOutput({ ...request, signal: waiting.signal }), hasCode('DFP_ABORTED'));
        assert.deepEqual(await readdir(join(directory(), 'out')), []);
      }
  });

  it('has the permissions that its user wants, and is no link to a file with more', async () => {
    const { source, path } = await paths();
    const permissions = async (): Promise<number> => (await stat(path)).mode & 0o777;
    await chmod(source, 0o644);
    for (const mode of [0o600, 0o640]) {
      assert.match(await placeOutput({ ...defaults, source, path, mode, overwrite: true }), /^(reflink|copy)/);
      assert.equal(await permissions(), mode);
    }
    for (const mode of [0o644, 0o666, undefined])
      assert.equal(
        await placeOutput({ ...defaults, source, path, mode, overwrite: mode === 0o644 }),
        mode === 0o644 ? 'hard-link' : 'already-there',
      );
    const range = { offset: 0, length: 10 };
    for (const mode of [0o666, 0o606, 0o400]) {
      await placeOutput({ ...defaults, source, path, mode, overwrite: true, range });
      assert.equal(await permissions(), mode);
    }
  });

  it('is the link that was demanded whatever its permissions, or is there already', async () => {
    const { source, path } = await paths();
    await chmod(source, 0o644);
    const request = { ...defaults, source, path, mode: 0o600 };
    assert.equal(await placeOutput({ ...request, forceHardLink: true }), 'hard-link');
    assert.equal(await placeOutput(request), 'already-there');
  });

  it('holds only the range', async () => {
    const { source, path } = await paths();
    await placeOutput({ ...defaults, source, path, range: { offset: 10, length: 99_000 } });
    assert.deepEqual(await readFile(path), CONTENT.subarray(10, 99_010));
  });

  it('may be empty', async () => {
    const { source, path } = await paths();
    await truncate(source, 0);
    await placeOutput({ ...defaults, source, path, contentLength: 0, allowHardLink: false });
    assert.equal((await stat(path)).size, 0);
  });

  it('never replaces what is no regular file, and says what to do instead', async () => {
    const { source, path } = await paths();
    execFileSync('mkfifo', [path]);
    const link = `${path}-link`;
    await symlink(path, link);
    const isRefused = hasCode('DFP_OUTPUT_EXISTS', /use -O - and redirect it/);
    for (const overwrite of [false, true]) {
      for (const each of [path, link])
        await assert.rejects(placeOutput({ ...defaults, source, path: each, overwrite }), isRefused);
      await assert.rejects(checkOutput({ path: '/dev/null', overwrite }), isRefused);
    }
    assert.equal((await stat(path)).isFIFO(), true);
  });

  it('never takes the place of a name that stands for what somebody has open, though that is a file', async () => {
    const { source, path } = await paths();
    const link = `${path}-stdout`;
    const opened = await open(source, 'r');
    try {
      const descriptor = `/proc/self/fd/${opened.fd}`;
      await symlink(descriptor, link);
      const isRefused = hasCode('DFP_OUTPUT_EXISTS', /use -O - and redirect it/);
      for (const each of [link, descriptor, `/dev/fd/${opened.fd}`])
        await assert.rejects(checkOutput({ path: each, overwrite: true }), isRefused, each);
      await assert.rejects(placeOutput({ ...defaults, source, path: link, overwrite: true }), isRefused);
      assert.equal((await lstat(link)).isSymbolicLink(), true);
    } finally {
      await opened.close();
    }
  });

  it('replaces a symbolic link to a file', async () => {
    const { source, path } = await paths();
    await writeFile(`${path}-target`, 'old');
    await symlink(`${path}-target`, path);
    await placeOutput({ ...defaults, source, path, overwrite: true });
    assert.equal((await lstat(path)).isFile(), true);
  });

  it('is refused before the download where it would be refused after it', async () => {
    const { source, path } = await paths();
    const target = { path, overwrite: false, source };
    await checkOutput(target);
    await writeFile(path, 'precious');
    await assert.rejects(checkOutput(target), hasCode('DFP_OUTPUT_EXISTS', /--overwrite/));
    await checkOutput({ ...target, overwrite: true });
    await rm(path);
    await link(source, path);
    await checkOutput(target);
    const directoryTarget = { path: join(directory(), 'out'), overwrite: true };
    await assert.rejects(checkOutput(directoryTarget), hasCode('DFP_OUTPUT_EXISTS', /give a file name/));
  });

  it('does not replace a file unless told so, and leaves nothing beside it', async () => {
    const { source, path } = await paths();
    await writeFile(path, 'precious');
    for (const allowHardLink of [true, false]) {
      await assert.rejects(placeOutput({ ...defaults, source, path, allowHardLink }), hasCode('DFP_OUTPUT_EXISTS'));
      assert.equal(await readFile(path, 'utf8'), 'precious');
    }
    assert.equal(await placeOutput({ ...defaults, source, path, overwrite: true }), 'hard-link');
    assert.deepEqual(await readFile(path), CONTENT);
    assert.deepEqual(await readdir(join(directory(), 'out')), ['file']);
  });

  it('is done where the same output, asked for at the same time, is done first', async () => {
    const { source, path } = await paths();
    const assertUntouched = async (): Promise<void> => {
      if ((await readdir(join(directory(), 'out'))).length === 0) await link(source, path);
    };
    assert.equal(await placeOutput({ ...defaults, source, path, assertUntouched }), 'hard-link');
    assert.deepEqual(await readFile(path), CONTENT);
  });

  for (const [doing, allowHardLink] of [
    ['copied', false],
    ['linked', true],
  ] as const)
    it(`keeps a file that appears while it is ${doing}`, async () => {
      const { source, path } = await paths();
      const assertUntouched = (): Promise<void> => writeFile(path, 'precious');
      const request = { ...defaults, source, path, allowHardLink, assertUntouched };
      await assert.rejects(placeOutput(request), hasCode('DFP_OUTPUT_EXISTS'));
      assert.equal(await readFile(path, 'utf8'), 'precious');
      assert.deepEqual(await readdir(join(directory(), 'out')), ['file']);
    });

  it('may have a name as long as names can be', async () => {
    const { source } = await paths();
    const path = join(directory(), 'out', 'x'.repeat(255));
    for (const allowHardLink of [true, false])
      for (const overwrite of [false, true]) {
        await placeOutput({ ...defaults, source, path, allowHardLink, overwrite });
        assert.deepEqual(await readFile(path), CONTENT);
        if (overwrite) await rm(path);
      }
  });

  it('does not appear when the stored file was changed', async () => {
    const { source, path } = await paths();
    const assertUntouched = async (): Promise<void> => {
      throw new DfpeerError('DFP_STORE_DAMAGED', 'it was changed');
    };
    for (const allowHardLink of [true, false])
      await assert.rejects(
        placeOutput({ ...defaults, source, path, allowHardLink, assertUntouched }),
        hasCode('DFP_STORE_DAMAGED'),
      );
    assert.deepEqual(await readdir(join(directory(), 'out')), []);
    await link(source, path);
    await assert.rejects(placeOutput({ ...defaults, source, path, assertUntouched }), hasCode('DFP_STORE_DAMAGED'));
  });

  it('is gone again when the stored file was replaced while it was linked', async () => {
    const { source, path } = await paths();
    for (const overwrite of [false, true]) {
      let asked = 0;
      const assertUntouched = async (): Promise<void> => {
        if (++asked > 1) throw new DfpeerError('DFP_TASK_NOT_FOUND', 'it was removed');
      };
      await assert.rejects(
        placeOutput({ ...defaults, source, path, overwrite, assertUntouched }),
        hasCode('DFP_TASK_NOT_FOUND'),
      );
      assert.deepEqual(await readdir(join(directory(), 'out')), []);
    }
  });

  it('does not appear when the client has gone', async () => {
    const { source, path } = await paths();
    const request = { ...defaults, source, path, allowHardLink: false, signal: AbortSignal.abort() };
    await assert.rejects(placeOutput(request), hasCode('DFP_ABORTED'));
    assert.deepEqual(await readdir(join(directory(), 'out')), []);
  });

  it('does not appear when the stored file is too short', async () => {
    const { source, path } = await paths();
    const request = { ...defaults, source, path, range: { offset: 99_000, length: 2000 } };
    await assert.rejects(placeOutput(request), hasCode('DFP_STORE_DAMAGED'));
    assert.deepEqual(await readdir(join(directory(), 'out')), []);
  });

  it('names the directory that is missing', async () => {
    const { source } = await paths();
    const path = join(directory(), 'nowhere', 'file');
    await assert.rejects(placeOutput({ ...defaults, source, path }), hasCode('DFP_OUTPUT_IO', /nowhere/));
    await assert.rejects(checkOutput({ path, overwrite: false }), hasCode('DFP_OUTPUT_IO', /nowhere/));
  });

  it('refuses a directory, and a name that is too long', async () => {
    const { source, path } = await paths();
    await mkdir(path);
    await assert.rejects(placeOutput({ ...defaults, source, path, overwrite: true }), hasCode('DFP_OUTPUT_EXISTS'));
    const long = join(directory(), 'out', 'x'.repeat(300));
    await assert.rejects(placeOutput({ ...defaults, source, path: long }), hasCode('DFP_OUTPUT_IO', /shorter/));
  });

  it('refuses a hard link to a range, and one that is forbidden as well', async () => {
    const { source, path } = await paths();
    for (const over of [{ range: { offset: 0, length: 1 } }, { allowHardLink: false }])
      await assert.rejects(
        placeOutput({ ...defaults, source, path, forceHardLink: true, ...over }),
        hasCode('DFP_HARD_LINK'),
      );
    assert.deepEqual(await readdir(join(directory(), 'out')), []);
  });

  it('leaves a directory that it may not write to to its client', async function () {
    const { source, path } = await paths();
    if (process.getuid?.() === 0) {
      await withFileSystem(this, 'ext4', directory(), async (mountPoint) => {
        execFileSync('mount', ['-o', 'remount,ro', mountPoint]);
        const request = { ...defaults, source, path: join(mountPoint, 'file') };
        await assert.rejects(
          placeOutput(request),
          hasCode('DFP_OUTPUT_FORBIDDEN', /may not write to .* \(EROFS\); choose/),
        );
      });
      return;
    }
    await chmod(join(directory(), 'out'), 0o500);
    await assert.rejects(
      placeOutput({ ...defaults, source, path }),
      hasCode('DFP_OUTPUT_FORBIDDEN', /\(EACCES\); choose/),
    );
  });

  it('is a copy on another file system, where a hard link that is demanded is an error', async function () {
    const other = await mkdtemp('/dev/shm/dfpeer-test-').catch(() => skipLoudly(this, 'there is no /dev/shm'));
    try {
      const { source } = await paths();
      if ((await stat(source)).dev === (await stat(other)).dev) skipLoudly(this, 'there is only one file system');
      const path = join(other, 'file');
      const request = { ...defaults, source, path };
      await assert.rejects(placeOutput({ ...request, forceHardLink: true }), hasCode('DFP_HARD_LINK', /EXDEV/));
      // More than is copied at once.
      const content = randomBytes(3 * MIB);
      await writeFile(source, content);
      assert.match(await placeOutput({ ...request, contentLength: content.length }), /^copy/);
      assert.ok((await readFile(path)).equals(content));
      await placeOutput({ ...request, overwrite: true, range: { offset: 10, length: MIB + 10 } });
      assert.ok((await readFile(path)).equals(content.subarray(10, MIB + 20)));
      assert.deepEqual(await readdir(other), ['file']);
    } finally {
      await rm(other, { recursive: true });
    }
  });

  it('does not appear on a full file system, and nothing else does', async function () {
    const { source } = await paths();
    const mountPoint = join(directory(), 'full');
    await mkdir(mountPoint);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mountPoint]);
    if (mounted.status !== 0) skipLoudly(this, 'only root can mount a small file system');
    try {
      const request = { ...defaults, source, path: join(mountPoint, 'file') };
      await assert.rejects(placeOutput(request), hasCode('DFP_OUTPUT_IO', /ENOSPC; free space/));
      assert.deepEqual(await readdir(mountPoint), []);
    } finally {
      execFileSync('umount', [mountPoint]);
    }
  });

  for (const type of ['xfs', 'btrfs'] as const)
    it(`shares blocks on ${type}`, async function () {
      await withFileSystem(this, type, directory(), async (mountPoint) => {
        const source = join(mountPoint, 'store');
        await writeFile(source, CONTENT);
        const path = join(mountPoint, 'file');
        assert.equal(await placeOutput({ ...defaults, source, path, allowHardLink: false }), 'reflink');
        assert.deepEqual(await readFile(path), CONTENT);
        const part = { offset: 4096, length: 8192 };
        const request = { ...defaults, source, path: join(mountPoint, 'part'), range: part };
        assert.equal(await placeOutput(request), 'copy-file-range');
        assert.deepEqual(await readFile(request.path), CONTENT.subarray(4096, 4096 + 8192));
        assert.deepEqual((await readdir(mountPoint)).sort(), ['file', 'part', 'store']);
      });
    });

  it('is absent after a kill in the middle of a copy, and nothing is left of it', async function () {
    const { source, path } = await paths();
    await writeFile(source, randomBytes(64 * MIB));
    const copy = await startCopy({ source, path, length: 64 * MIB });
    const exited = once(copy, 'exit');
    copy.kill('SIGKILL');
    await exited;
    assert.equal(copy.signalCode, 'SIGKILL', 'the copy was over before it could be killed');
    assert.deepEqual(await readdir(join(directory(), 'out')), []);
  });
});

/** A fresh file system on a loop device for the length of `work`; skips where that can't be had. */
async function withFileSystem(
  context: Mocha.Context,
  type: 'xfs' | 'btrfs' | 'ext4',
  directory: string,
  work: (mountPoint: string) => Promise<void>,
): Promise<void> {
  const [image, mountPoint] = [join(directory, 'image'), join(directory, 'mount')];
  await mkdir(mountPoint);
  await writeFile(image, '');
  await truncate(image, 320 * MIB);
  if (!hasProgram(`mkfs.${type}`)) skipLoudly(context, `mkfs.${type} is not installed`);
  execFileSync(`mkfs.${type}`, ['-q', image], { stdio: 'ignore' });
  if (spawnSync('mount', ['-o', 'loop', image, mountPoint], { stdio: 'ignore' }).status !== 0)
    skipLoudly(context, 'only root with loop devices can mount an image');
  try {
    await work(mountPoint);
  } finally {
    execFileSync('umount', [mountPoint]);
  }
}
