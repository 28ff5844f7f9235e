import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
export const DEPLOY = join(ROOT, 'deploy');

export function readDeployed(...path: string[]): Promise<string> {
  return readFile(join(DEPLOY, ...path), 'utf8');
}
