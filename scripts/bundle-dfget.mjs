// Part of `npm run build`: what dfget loads of its own for a download in one CommonJS file, what few need in some beside it.
// Loading fifty modules takes longer than a small download; CommonJS is there sooner than a module loader.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'rolldown';

const SOURCE = join(import.meta.dirname, '..', 'dist', 'src', 'cli');
// As deep as the modules themselves, so that the package's files are where they look for them.
const BUNDLE = join(import.meta.dirname, '..', 'dist', 'src', 'dfget');

rmSync(BUNDLE, { recursive: true, force: true });
await build({
  input: join(SOURCE, 'dfget.js'),
  platform: 'node',
  // Only what few downloads need uses any package: it loads them from where npm has put them.
  external: /^[^./]/,
  logLevel: 'warn',
  output: { dir: BUNDLE, format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: '[name].cjs' },
});
