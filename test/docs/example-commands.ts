/** What the documents' shell examples are about, and how each is run. */
export type ExampleKind =
  | { kind: 'daemon'; args: string[] } // runs until it is stopped: must become ready
  | { kind: 'command' } // must end with 0
  | { kind: 'not-run'; why: string };

interface Rule {
  matches: RegExp;
  how: (match: RegExpExecArray) => ExampleKind;
}

function notRun(matches: RegExp, why: string): Rule {
  return { matches, how: () => ({ kind: 'not-run', why }) };
}

/** The first that matches decides. A command that none matches fails the test: run it, or say here why not. */
const RULES: readonly Rule[] = [
  notRun(/^npm ci\b/, 'whoever runs this test has done it; .ci/run does it on a clean clone'),
  notRun(/^npm test$/, 'this is it'),
  notRun(/^npm run (docs|typecheck|lint|format)\b/, 'npm test compares or repeats what they do'),
  notRun(/^(DFPEER_INTEROP_BIN=\S+ )?npm run test:/, 'suites of their own, which take minutes'),
  notRun(/^npm run (bench:|dist|docs\b)/, 'minutes of load; test/package runs what dist does'),
  notRun(/^(npm pack|npm install -g|tar) /, 'test/package does the same'),
  notRun(
    /^(sudo )?(systemctl|systemd-\w+|journalctl|install|useradd|cp|tar)\b/,
    'changes the machine; test/deploy checks the files',
  ),
  notRun(/^(docker|kubectl) /, 'needs a container runtime or a cluster; test/deploy checks the files'),
  notRun(/^promtool /, 'test/deploy runs it'),
  notRun(/^(node |npx )/, 'native and bench have tests of their own'),
  { matches: /^bin\/dfdaemon(?! (?:doctor|tasks|peers|limits)\b)(.*)$/, how: ([, args = '']) => daemon(args) },
  { matches: /^(dfget|dfdaemon) /, how: () => ({ kind: 'command' }) },
  { matches: /^(bin\/dfget|bin\/dfdaemon|curl|wget|aria2c|grep|kill) /, how: () => ({ kind: 'command' }) },
];

export function classify(command: string): ExampleKind | undefined {
  for (const { matches, how } of RULES) {
    const match = matches.exec(command);
    if (match !== null) return how(match);
  }
  return undefined;
}

/** Commands of a shell block, one each; comments left out, continued lines joined, `a && b` taken as two. */
export function commandsOf(block: string): string[] {
  return block
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .flatMap((line) => line.split(' && '))
    .filter((line) => line !== '');
}

function daemon(args: string): ExampleKind {
  return { kind: 'daemon', args: args.trim() === '' ? [] : args.trim().split(/\s+/) };
}
