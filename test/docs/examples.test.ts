import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DaemonProcess, run } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { classify, commandsOf } from './example-commands.js';
import { DOCS, examples, replaceEach, ROOT } from './support.js';

const EXAMPLE_URL = 'https://example.com/model.bin';
/** Their commands are run below; those of all others can't be. */
const RUN_DOCUMENTS = ['README.md', 'docs/QUICKSTART.md', 'docs/DFGET.md', 'docs/OPERATIONS.md', 'docs/METRICS.md'];
/** Kinds of blocks, and what sees to it that they are right. */
const LANGUAGES: Readonly<Record<string, string>> = {
  sh: 'here',
  yaml: 'references.test.ts',
  js: 'native/test/readme.test.ts',
  json: 'here',
  '': 'pictures and output',
  text: 'pictures and output',
  promql: 'test/deploy/prometheus.test.ts',
};

async function listDocuments(): Promise<string[]> {
  const docs = (await readdir(DOCS)).filter((name) => name.endsWith('.md')).map((name) => join(DOCS, name));
  const others = ['README.md', 'CONTRIBUTING.md', 'native/README.md', 'bench/README.md'].map((name) =>
    join(ROOT, name),
  );
  return [...others, ...docs];
}

async function commandsIn(path: string): Promise<string[]> {
  return examples(await readFile(path, 'utf8'), 'sh').flatMap(commandsOf);
}

describe('examples in the documents', function () {
  this.timeout(150_000);
  const directory = useTemporaryDirectory();

  it('are adapted in one pass, so that nothing of ours is taken for theirs', () => {
    const own = { ':4002': ':40023', ':40': ':4002', 'a.b': '[:4002]' };
    assert.equal(replaceEach('a.b acb http://x:4002/ :4003', own), '[:4002] acb http://x:40023/ :400203');
  });

  it('are of kinds that are checked', async () => {
    for (const path of await listDocuments()) {
      const fences = [...(await readFile(path, 'utf8')).matchAll(/^```(.*)$/gm)].map(([, language = '']) => language);
      for (const [index, language] of fences.entries())
        if (index % 2 === 0) assert.ok(Object.hasOwn(LANGUAGES, language), `${path}: \`\`\`${language}`);
    }
  });

  it('that are JSON can be parsed, line by line or whole', async () => {
    for (const path of await listDocuments())
      for (const text of examples(await readFile(path, 'utf8'), 'json')) {
        const parts = text.trim().startsWith('{\n') ? [text] : text.trim().split('\n');
        for (const part of parts) assert.doesNotThrow(() => JSON.parse(part) as unknown, `${path}: ${part}`);
      }
  });

  it('that are commands are all run, or have a reason why not', async () => {
    const unknown: string[] = [];
    for (const path of await listDocuments())
      for (const command of await commandsIn(path))
        if (classify(command) === undefined) unknown.push(`${relative(ROOT, path)}: ${command}`);
    assert.deepEqual(unknown, [], 'run them in test/docs/example-commands.ts, or say there why not');
  });

  it('that can be run are all in documents whose examples are run', async () => {
    for (const path of await listDocuments()) {
      if (RUN_DOCUMENTS.includes(relative(ROOT, path))) continue;
      for (const command of await commandsIn(path))
        assert.equal(classify(command)?.kind, 'not-run', `${path}: ${command}`);
    }
  });

  describe('work on two nodes', () => {
    let origin: Origin;
    let first: DaemonProcess;
    const daemons: DaemonProcess[] = [];

    beforeEach(async () => {
      origin = await Origin.start(5 * 1024 * 1024);
      first = await DaemonProcess.start(join(directory(), 'first'));
      daemons.push(first);
      const addrs = `127.0.0.1:${first.ports.scheduler ?? 0}`;
      await writeFile(join(directory(), 'dynconfig.yaml'), `scheduler:\n  addrs: ['${addrs}']\n`);
    });

    afterEach(async () => {
      await Promise.all(daemons.splice(0).map((daemon) => daemon.end()));
      await origin.close();
    });

    /** What can't be the reader's becomes ours; ports are those that the system chose. */
    function adapt(text: string): string {
      const { ports, pid } = first;
      const own: Record<string, string> = {
        [EXAMPLE_URL]: origin.url('/model.bin'),
        DIGEST: origin.sha256,
        'FIRST:8002': `127.0.0.1:${ports.scheduler ?? 0}`,
        '/etc/dragonfly/dynconfig.yaml': join(directory(), 'dynconfig.yaml'),
        'http://NODE:4007': `http://127.0.0.1:${ports.http}`,
        ':4002': `:${ports.metrics}`,
        ':4003': `:${ports.health}`,
        ':4007': `:${ports.http}`,
        DFDAEMON_PID: String(pid),
      };
      return replaceEach(text, own);
    }

    async function startDaemon(args: readonly string[]): Promise<void> {
      const adapted = adapt(args.join(' '))
        .split(' ')
        .filter((arg) => arg !== '');
      const configAt = adapted.indexOf('-c');
      // The test's own stands in for the reader's file.
      if (configAt !== -1) adapted.splice(configAt, 2);
      const home = join(directory(), `node-${daemons.length}`);
      daemons.push(await DaemonProcess.start(home, {}, { args: adapted }));
    }

    async function runCommand(command: string, cwd: string): Promise<void> {
      const script = `cd ${JSON.stringify(cwd)} && ${adapt(command)}`;
      const path = `${join(ROOT, 'bin')}:${process.env.PATH ?? ''}`;
      const { code, stdout, stderr } = await run('bash', ['-c', script], { DFPEER_HOME: first.directory, PATH: path });
      assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
    }

    async function runBlock(commands: readonly string[], cwd: string): Promise<void> {
      await mkdir(cwd, { recursive: true });
      await symlink(join(ROOT, 'bin'), join(cwd, 'bin'));
      await writeFile(join(cwd, 'urls.txt'), `${origin.url('/a.bin')}\n${origin.url('/b.bin')} renamed.bin\n`);
      for (const command of commands) {
        const example = classify(command);
        if (example?.kind === 'daemon') await startDaemon(example.args);
        if (example?.kind === 'command') await runCommand(command, cwd);
      }
    }

    for (const name of RUN_DOCUMENTS)
      it(`those of ${name}`, async () => {
        const blocks = examples(await readFile(join(ROOT, name), 'utf8'), 'sh').map(commandsOf);
        for (const [index, commands] of blocks.entries())
          await runBlock(commands.filter(isOfThisProject), join(directory(), `block-${index}`));
      });
  });
});

/** The README's first download needs the internet; the same command with another URL is in the quick start. */
function isOfThisProject(command: string): boolean {
  return !command.includes('nodejs.org');
}
