import assert from 'node:assert/strict';
import { parseDfdaemonCommand } from '../../src/cli/dfdaemon-options.js';
import type { DaemonOverrides } from '../../src/config/daemon-config.js';

function run(argv: string[], env: Record<string, string> = {}): DaemonOverrides {
  const parsed = parseDfdaemonCommand(argv, env, '1.2.3');
  assert.equal(parsed.kind, 'run');
  assert.equal(parsed.options.name, 'run');
  return parsed.options.overrides;
}

describe('flags of dfdaemon', () => {
  it("have Dragonfly's defaults", () => {
    assert.deepEqual(run([]), {
      configFile: undefined,
      dynconfigFile: undefined,
      schedulers: [],
      aliveTimeMs: undefined,
      isLoopbackOnly: false,
      logLevel: 'info',
      logDir: undefined,
      logMaxFiles: 6,
      logMaxFileSizeBytes: 1024 ** 3,
      console: false,
    });
  });

  it('are all taken, long and short', () => {
    const long =
      '--config c --dynconfig d --log-level debug --log-dir l --log-max-files 3 --log-max-file-size 5MiB --console';
    const options = run([
      ...long.split(' '),
      '--scheduler',
      'a:1',
      '--scheduler',
      '[fd00::1]:2',
      '--alive-time=5m',
      '--loopback',
    ]);
    assert.deepEqual(options, {
      configFile: 'c',
      dynconfigFile: 'd',
      schedulers: ['a:1', '[fd00::1]:2'],
      aliveTimeMs: 300_000,
      isLoopbackOnly: true,
      logLevel: 'debug',
      logDir: 'l',
      logMaxFiles: 3,
      logMaxFileSizeBytes: 5 * 1024 * 1024,
      console: true,
    });
    assert.deepEqual(run(['-c', 'c', '-l', 'WARN']), { ...run([]), configFile: 'c', logLevel: 'warn' });
  });

  it('come from variables too, and win over them', () => {
    const env = {
      DFDAEMON_CONFIG: '/env.yaml',
      DFDAEMON_DYNCONFIG: '/dyn.yaml',
      DFDAEMON_LOG_LEVEL: 'error',
      DFDAEMON_CONSOLE: 'true',
      DFDAEMON_SCHEDULER: 'e:1',
      DFDAEMON_LOG_DIR: '',
    };
    const options = run(['-c', '/flag.yaml', '--scheduler', 'f:2'], env);
    assert.equal(options.configFile, '/flag.yaml');
    assert.equal(options.dynconfigFile, '/dyn.yaml');
    assert.equal(options.logLevel, 'error');
    assert.equal(options.console, true);
    assert.equal(options.logDir, undefined);
    assert.deepEqual(options.schedulers, ['f:2']);
    assert.deepEqual(run([], env).schedulers, ['e:1']);
  });

  const refused: [argv: string[], env: Record<string, string>, message: RegExp][] = [
    [['--log-level', 'loud'], {}, /^--log-level: expected one of trace, debug, info, warn, error, found "loud"$/],
    [[], { DFDAEMON_LOG_LEVEL: 'loud' }, /^DFDAEMON_LOG_LEVEL: expected one of/],
    [[], { DFDAEMON_CONSOLE: 'maybe' }, /^DFDAEMON_CONSOLE must be true or false, not "maybe"$/],
    [['--scheduler', 'host'], {}, /^--scheduler: .*host:port/],
    [['--log-max-files', '0'], {}, /^--log-max-files: expected a whole number from 1 to 1000, found "0"$/],
    [['--log-max-file-size', '1'], {}, /^--log-max-file-size: expected at least 4096 bytes/],
    [['--alive-time', '5'], {}, /^--alive-time: not a duration/],
    [['--config'], {}, /^option '-c, --config <file>' argument missing; see dfdaemon --help$/],
    [['--nonsense'], {}, /^unknown option '--nonsense'/],
    [['frob'], {}, /^unknown command "frob"; give one of doctor, tasks, peers, limits, or none to run the daemon; see/],
    [['frob', '--json'], {}, /^unknown /],
    [['help', 'frob'], {}, /^no such command; see dfdaemon --help$/],
    [['doctor', 'surplus'], {}, /^too many arguments for 'doctor'\. Expected 0 arguments but got 1; see /],
  ];
  for (const [argv, env, message] of refused)
    it(`are refused by name: ${[...argv, ...Object.entries(env).flat()].join(' ')}`, () =>
      assert.throws(() => parseDfdaemonCommand(argv, env, '1'), { code: 'DFP_USAGE', kind: 'usage', message }));

  it('show version and help without running', () => {
    for (const flag of ['-V', '--version'])
      assert.deepEqual(parseDfdaemonCommand([flag], {}, '1.2.3'), { kind: 'show', text: 'dfdaemon 1.2.3\n' });
    const help = parseDfdaemonCommand(['--help'], {}, '1');
    assert.ok(help.kind === 'show');
    assert.match(help.text, /--scheduler <host:port>/);
    assert.doesNotMatch(help.text, /--loopback|--alive-time/);
    assert.deepEqual(parseDfdaemonCommand(['help'], {}, '1'), help);
    assert.deepEqual(
      parseDfdaemonCommand(['help', 'limits'], {}, '1'),
      parseDfdaemonCommand(['limits', '--help'], {}, '1'),
    );
  });
});
