// `npm run dist`: everything but Node itself in one folder, as a tarball that runs wherever it is unpacked.
// Usage: node scripts/make-tarball.mjs [--out DIR]; prints the tarball's path.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
/** Maps, types and tests are of no use to who runs it; nor are native parts of other systems. */
const LEFT_OUT = /\.(map|d\.[cm]?ts)$|\/dist\/native\/(test|bench)(\/|$)|\/prebuilds\/(?!linux-)[^/]+$/;

const { values: options } = parseArgs({ options: { out: { type: 'string', default: ROOT } } });
const manifest = readJson('package.json');
/** The same as in the npm package. */
const CONTENT = [...manifest.files.filter((path) => !path.startsWith('!')), 'README.md', 'LICENSE'];
const { packages } = readJson('package-lock.json');
const label = `${manifest.name}-${manifest.version}`;
const staging = mkdtempSync(join(tmpdir(), 'dfpeer-dist-'));
try {
  const folder = join(staging, label);
  copyContent(folder);
  const dependencies = copyDependencies(folder);
  writeManifest(folder);
  writeLicences(folder, dependencies);
  process.stdout.write(`${pack()}\n`);
} finally {
  rmSync(staging, { recursive: true, force: true });
}

function readJson(path) {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
}

function copy(source, target) {
  cpSync(source, target, { recursive: true, filter: (path) => !LEFT_OUT.test(path) });
}

function copyContent(folder) {
  if (!existsSync(join(ROOT, 'dist/src/cli/dfdaemon.js'))) throw new Error('dist/ is not there: npm run build first');
  for (const path of CONTENT) copy(join(ROOT, path), join(folder, path));
  for (const program of readdirSync(join(folder, 'bin'))) chmodSync(join(folder, 'bin', program), 0o755);
}

/** The lock file's production packages; optional ones are those of this machine's CPU. Returns their paths. */
function copyDependencies(folder) {
  const paths = Object.keys(packages).filter((path) => path !== '' && packages[path].dev !== true);
  return paths.filter((path) => {
    const source = join(ROOT, path);
    if (!existsSync(source) && packages[path].optional === true) return false;
    if (!existsSync(source)) throw new Error(`${path} is missing: npm ci first`);
    const nested = join(source, 'node_modules');
    cpSync(source, join(folder, path), {
      recursive: true,
      // Packages inside packages are listed, and copied, for themselves.
      filter: (from) => !LEFT_OUT.test(from) && (relative(nested, from) === '..' || !from.startsWith(nested)),
    });
    return true;
  });
}

/** Without scripts and dependencies: there is nothing left to install. */
function writeManifest(folder) {
  const { name, version, description, license, type, engines, bin, exports } = manifest;
  const kept = { name, version, description, license, type, engines, bin, exports, private: true };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(kept, undefined, 2)}\n`);
}

function writeLicences(folder, dependencies) {
  const texts = dependencies.map((path) => {
    const directory = join(ROOT, path);
    const { name, version, license } = readJson(join(path, 'package.json'));
    const file = readdirSync(directory).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text =
      file === undefined ? 'Its package holds no licence text.' : readFileSync(join(directory, file), 'utf8');
    return `${name} ${version}, ${license}\n\n${text.trim()}\n`;
  });
  writeFileSync(join(folder, 'THIRD-PARTY-LICENCES'), texts.join(`\n${'-'.repeat(100)}\n\n`));
}

function pack() {
  mkdirSync(options.out, { recursive: true });
  const tarball = join(options.out, `${label}-${process.platform}-${process.arch}.tar.gz`);
  execFileSync('tar', ['-C', staging, '--owner=0', '--group=0', '--sort=name', '-czf', tarball, label]);
  return tarball;
}
