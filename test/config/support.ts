import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DaemonOverrides } from '../../src/config/daemon-config.js';
import { DfpeerError } from '../../src/core/errors.js';

/** A directory of its own for one test. */
export async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'dfp-config-'));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** No flags, no variables. */
export const NO_OVERRIDES: DaemonOverrides = {
  schedulers: [],
  isLoopbackOnly: false,
  logLevel: 'info',
  logMaxFiles: 6,
  logMaxFileSizeBytes: 1024 ** 3,
  console: false,
};

/** The coded error that `act` throws. */
export function errorOf(act: () => unknown): DfpeerError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof DfpeerError, `not one of ours: ${String(error)}`);
    return error;
  }
  assert.fail('nothing was thrown');
}
