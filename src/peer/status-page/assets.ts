import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

// dist/src/peer/status-page → the package's root
const DIRECTORY = new URL('../../../../assets/status-page/', import.meta.url);

export interface Asset {
  contentType: string;
  body: Buffer;
}

const SCRIPT = 'text/javascript; charset=utf-8';

/** Every file of the page by its path: nothing else is ever read for a request. */
const FILES: Readonly<Record<string, { file: string; contentType: string }>> = {
  '/': { file: 'index.html', contentType: 'text/html; charset=utf-8' },
  '/style.css': { file: 'style.css', contentType: 'text/css; charset=utf-8' },
  '/icon.svg': { file: 'icon.svg', contentType: 'image/svg+xml' },
  ...Object.fromEntries(
    ['main', 'format', 'dom', 'chart', 'tables', 'tasks'].map((name) => [
      `/${name}.js`,
      { file: `${name}.js`, contentType: SCRIPT },
    ]),
  ),
};

/** Reads the page into memory, once. */
export async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  const entries = Object.entries(FILES).map(async ([path, { file, contentType }]): Promise<[string, Asset]> => {
    return [path, { contentType, body: await readFile(fileURLToPath(new URL(file, DIRECTORY))) }];
  });
  return new Map(await Promise.all(entries));
}
