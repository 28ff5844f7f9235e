import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assertWithinReach } from '../../../src/peer/output/daemon-reach.js';
import { directoryIdentity } from '../../../src/peer/output/directory-identity.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';

describe('daemon reach', () => {
  const directory = useTemporaryDirectory();
  const path = (...names: string[]): string => join(directory(), ...names);
  const isForbidden = (message: RegExp): object => ({ code: 'DFP_OUTPUT_FORBIDDEN', message });

  it('is a directory that can be written to, by whatever name', async () => {
    await mkdir(path('out'));
    await symlink('out', path('link'));
    for (const seenByClient of [undefined, await directoryIdentity(path('link'))])
      await assertWithinReach(path('out', 'file'), seenByClient);
  });

  it('does not end in another directory than the client sees', async () => {
    await mkdir(path('out'));
    const other = await directoryIdentity(directory());
    await assert.rejects(assertWithinReach(path('out', 'file'), other), isForbidden(/another directory/));
  });

  it('does not end where there is none', async () => {
    await writeFile(path('file'), '');
    const seen = await directoryIdentity(directory());
    for (const output of [path('nowhere', 'file'), path('file', 'below', 'file')])
      for (const seenByClient of [undefined, seen])
        await assert.rejects(assertWithinReach(output, seenByClient), isForbidden(/no directory .*make it/));
  });

  it('does not end where the daemon may not write', async () => {
    await mkdir(path('out'));
    if (process.getuid?.() !== 0) {
      await chmod(path('out'), 0o500);
      await assert.rejects(assertWithinReach(path('out', 'file'), undefined), isForbidden(/EACCES/));
      return;
    }
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', path('out')]);
    try {
      await assert.rejects(assertWithinReach(path('out', 'file'), undefined), isForbidden(/EROFS/));
    } finally {
      execFileSync('umount', [path('out')]);
    }
  });
});
