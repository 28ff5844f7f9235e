import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory that is gone after the test: call inside describe(). */
export function useTemporaryDirectory(): () => string {
  let directory = '';
  beforeEach(async () => {
    directory = await make();
  });
  afterEach(() => remove(directory));
  return () => directory;
}

/** The same for all tests of a describe(), and gone after the last. */
export function useSharedDirectory(): () => string {
  let directory = '';
  before(async () => {
    directory = await make();
  });
  after(() => remove(directory));
  return () => directory;
}

function make(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'dfpeer-test-'));
}

function remove(directory: string): Promise<void> {
  // A daemon of the test may still be ending, and write.
  return rm(directory, { recursive: true, force: true, maxRetries: 10 });
}
