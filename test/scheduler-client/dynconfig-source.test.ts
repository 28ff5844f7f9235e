import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { systemClock } from '../../src/core/clock.js';
import { MAX_CONFIG_BYTES } from '../../src/config/config-file.js';
import { parseDynconfig } from '../../src/config/dynconfig.js';
import { DfpeerError } from '../../src/core/errors.js';
import { parseHostPort } from '../../src/core/host-port.js';
import { silentLogger } from '../../src/core/logger.js';
import { DynconfigSource } from '../../src/scheduler-client/dynconfig-source.js';
import { resolveSchedulers } from '../../src/scheduler-client/scheduler-address.js';
import { StaticSource } from '../../src/scheduler-client/static-source.js';
import { host, recordingLogger, type LogLine } from './support/fixtures.js';

const options = {
  host,
  logger: silentLogger,
  clock: systemClock,
  lookup: async (name: string) => {
    if (name !== 'scheduler.test') throw Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' });
    return ['10.0.0.2', 'fd00::1', '10.0.0.1', '10.0.0.2'].map((address) => ({ address, family: 4 }));
  },
};
const { signal } = new AbortController();

describe('scheduler addresses', () => {
  it('are host:port, with brackets around IPv6, and with or without a scheme', () => {
    assert.deepEqual(parseHostPort('10.0.0.1:8002', 'x'), { host: '10.0.0.1', port: 8002 });
    assert.deepEqual(parseHostPort('[fd00::1]:8002', 'x'), { host: 'fd00::1', port: 8002 });
    assert.deepEqual(parseHostPort('http://manager.test:65003/', 'x'), { host: 'manager.test', port: 65003 });
  });

  for (const text of [
    '',
    'host',
    'host:',
    ':8002',
    'host:0',
    'host:65536',
    'fd00::1:8002',
    'a b:1',
    '[x]:1',
    'ftp://h:1',
  ])
    it(`are not ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseHostPort(text, 'scheduler.addr'), { code: 'DFP_CONFIG', message: /scheduler\.addr/ });
    });

  it('are all IPv4 addresses of a name, sorted', async () => {
    const resolved = await resolveSchedulers({ host: 'scheduler.test', port: 1 }, { ...options, signal });
    assert.deepEqual(
      resolved.map(({ ip }) => ip),
      ['10.0.0.1', '10.0.0.2'],
    );
    assert.equal(resolved[0]?.serverName, 'scheduler.test');
  });

  it('that do not resolve are an error that names the name', async () => {
    await assert.rejects(new StaticSource(['nowhere.test:1'], options).list(signal), {
      code: 'DFP_SCHEDULER_UNREACHABLE',
      message: /nowhere\.test/,
    });
  });
});

describe('a dynconfig file', () => {
  let directory: string;
  let file: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dfpeer-dynconfig-'));
    file = join(directory, 'dynconfig.yaml');
  });

  afterEach(() => rm(directory, { recursive: true }));

  const list = async (text: string): Promise<string[]> => {
    await writeFile(file, text);
    const { schedulers } = await new DynconfigSource(file, options).list(signal);
    return schedulers.map(({ ip, port }) => `${ip}:${port}`);
  };

  it('names schedulers by IP address', async () => {
    const text = 'scheduler:\n  addrs: ["10.0.0.1:8002", "[fd00::1]:8002"]\nother: ignored\n';
    assert.deepEqual(await list(text), ['10.0.0.1:8002', 'fd00::1:8002']);
  });

  it('names schedulers by one DNS name', async () => {
    assert.deepEqual(await list('scheduler:\n  addr: scheduler.test:8002\n'), ['10.0.0.1:8002', '10.0.0.2:8002']);
  });

  it('has its IP addresses used although its name does not resolve', async () => {
    const text = 'scheduler:\n  addrs: ["10.0.0.1:8002"]\n  addr: nowhere.test:8002\n';
    assert.deepEqual(await list(text), ['10.0.0.1:8002']);
    await assert.rejects(list('scheduler: {addr: nowhere.test:8002}\n'), { code: 'DFP_SCHEDULER_UNREACHABLE' });
  });

  describe('may have a block list', () => {
    const RULES = 'Config: {blockList: {task: {download: {tags: [no], urls: [evil]}}}}';
    const download = { application: '', url: 'http://a.test', tag: 'no', priority: 0 };

    for (const [type, key] of [
      ['normal', 'client'],
      ['seed', 'seedClient'],
    ] as const)
      it(`which is that of ${key}Config for a ${type} peer`, async () => {
        await writeFile(file, `scheduler: {addrs: ["10.0.0.1:8002"]}\n${key}${RULES}\n`);
        const listAs = async (as: typeof type): Promise<string | undefined> => {
          const source = new DynconfigSource(file, { ...options, host: { ...host, type: as } });
          return (await source.list(signal)).blockList?.match(download) ?? 'nothing';
        };
        assert.equal(await listAs(type), 'tags');
        assert.equal(await listAs(type === 'seed' ? 'normal' : 'seed'), 'nothing');
      });

    it('of which one of another shape is left out, with a warning, but not the schedulers', async () => {
      const lines: LogLine[] = [];
      await writeFile(file, 'scheduler: {addrs: ["10.0.0.1:8002"]}\nclientConfig: {blockList: [tags]}\n');
      const source = new DynconfigSource(file, { ...options, logger: recordingLogger(lines) });
      const { blockList, schedulers } = await source.list(signal);
      assert.equal(blockList, undefined);
      assert.equal(schedulers.length, 1);
      assert.deepEqual(
        lines.map(({ level }) => level),
        ['warn'],
      );
    });
  });

  for (const [problem, text] of [
    ['is empty', ''],
    ['is not YAML', 'scheduler: [\n'],
    ['has no scheduler', 'schedulers: []\n'],
    ['has no address', 'scheduler: {addrs: []}\n'],
    ['has a name among the IP addresses', 'scheduler: {addrs: ["scheduler.test:8002"]}\n'],
    ['has an address without port', 'scheduler: {addr: scheduler.test}\n'],
    ['is too long', `#${'x'.repeat(MAX_CONFIG_BYTES)}`],
  ] as const)
    it(`is refused by name when it ${problem}`, async () => {
      await assert.rejects(list(text), (error: DfpeerError) => {
        assert.equal(error.code, 'DFP_CONFIG');
        assert.ok(error.message.includes(file));
        return true;
      });
    });

  it('that is missing is an error that names it', async () => {
    const message = `configuration file ${file} does not exist`;
    await assert.rejects(new DynconfigSource(file, options).list(signal), { code: 'DFP_CONFIG', message });
  });

  it('gives addresses or DFP_CONFIG, whatever it holds', () => {
    const anyText = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((json) => `{"scheduler":${json}}`),
      fc.array(fc.string()).map((addrs) => JSON.stringify({ scheduler: { addrs } })),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        try {
          assert.ok(parseDynconfig(text, 'f').schedulers.length > 0);
        } catch (error) {
          assert.equal((error as DfpeerError).code, 'DFP_CONFIG');
        }
      }),
      { numRuns: 300 },
    );
  });
});
