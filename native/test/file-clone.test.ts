import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cloneFile, copyFileRange, SyscallError } from '../index.js';
import { requireNative, useNative } from './support.js';

describe('copies within the kernel', () => {
  before(function () {
    requireNative(this);
  });
  const native = useNative();
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'native-test-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('copyFileRange copies a range to another place', async () => {
    const source = native.file(300_000);
    const path = join(directory, 'copy');
    const fd = openSync(path, 'w+');
    const seen: number[] = [];
    const options = { offset: 1000, length: 200_000, targetOffset: 5, onProgress: (bytes: number) => seen.push(bytes) };
    assert.deepEqual(await copyFileRange(source, { fd }, options), { bytesCopied: 200_000, outcome: 'complete' });
    assert.equal(seen.at(-1), 200_000);
    assert.deepEqual(readFileSync(path).subarray(5), source.bytes.subarray(1000, 201_000));
    closeSync(fd);
  });

  it('copyFileRange says where the source ended, and stops when asked to', async () => {
    const source = native.file(1000);
    const fd = openSync(join(directory, 'copy'), 'w+');
    const short = await copyFileRange(source, { fd }, { offset: 400, length: 1000 });
    assert.deepEqual(short, { bytesCopied: 600, outcome: 'truncated' });
    const stopped = await copyFileRange(source, { fd }, { offset: 0, length: 10, signal: AbortSignal.abort() });
    assert.deepEqual(stopped, { bytesCopied: 0, outcome: 'stopped' });
    closeSync(fd);
  });

  it('an error that is not about support is thrown with its errno', async () => {
    const source = native.file(1000);
    const thrown = await copyFileRange(source, { fd: source.fd }, { offset: 0, length: 10, targetOffset: 500 }).catch(
      (error: unknown) => error,
    );
    assert.ok(thrown instanceof SyscallError);
    assert.deepEqual([thrown.syscall, thrown.code], ['copy_file_range', 'EBADF']);
    await assert.rejects(cloneFile(source, { fd: source.fd }), { code: 'EBADF' });
  });

  it('cloneFile says unsupported where blocks cannot be shared', async function () {
    if (!isTmpfs('/dev/shm')) {
      console.warn('skipped: /dev/shm is no tmpfs that can be written to');
      this.skip();
    }
    const shared = mkdtempSync('/dev/shm/native-test-');
    try {
      writeFileSync(join(shared, 'source'), 'some bytes');
      const source = openSync(join(shared, 'source'), 'r');
      const target = openSync(join(shared, 'target'), 'w+');
      assert.equal(await cloneFile({ fd: source }, { fd: target }), 'unsupported');
      closeSync(source);
      closeSync(target);
    } finally {
      rmSync(shared, { recursive: true });
    }
  });

  for (const [type, minimumBytes] of [
    ['xfs', 320 * 1024 * 1024],
    ['btrfs', 128 * 1024 * 1024],
  ] as const) {
    it(`cloneFile shares blocks on ${type}`, async function () {
      const mountPoint = join(directory, 'mount');
      if (!mountImage(type, minimumBytes, directory, mountPoint)) {
        console.warn(`skipped: no ${type} on a loop device here`);
        this.skip();
      }
      try {
        const bytes = native.file(3_000_001).bytes;
        writeFileSync(join(mountPoint, 'source'), bytes);
        const source = openSync(join(mountPoint, 'source'), 'r');
        const target = openSync(join(mountPoint, 'target'), 'w+');
        assert.equal(await cloneFile({ fd: source }, { fd: target }), 'cloned');
        assert.deepEqual(readFileSync(join(mountPoint, 'target')), bytes);
        closeSync(source);
        closeSync(target);
      } finally {
        execFileSync('umount', [mountPoint]);
      }
    });
  }
});

function isTmpfs(path: string): boolean {
  if (spawnSync('test', ['-w', path]).status !== 0) return false;
  return spawnSync('stat', ['--file-system', '--format=%T', path], { encoding: 'utf8' }).stdout.trim() === 'tmpfs';
}

/** Makes a file system in a sparse file and mounts it; false when this machine or user can't. */
function mountImage(type: string, bytes: number, directory: string, mountPoint: string): boolean {
  const image = join(directory, 'image');
  writeFileSync(image, '');
  truncateSync(image, bytes);
  mkdirSync(mountPoint);
  const made = spawnSync(`mkfs.${type}`, ['-q', image], { stdio: 'ignore' });
  if (made.error !== undefined || made.status !== 0) return false;
  return spawnSync('mount', ['-o', 'loop', image, mountPoint], { stdio: 'ignore' }).status === 0;
}
