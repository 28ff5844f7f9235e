import assert from 'node:assert/strict';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readDocument, tableRows } from '../docs/support.js';
import { DaemonProcess, run } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { hasProgram, skipLoudly } from '../support/skip.js';
import { useSharedDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { dashboardQueries, metricNames, readDashboard } from './support/dashboard.js';
import { DEPLOY, readDeployed } from './support/deploy-files.js';
import { Prometheus, type Sample } from './support/prometheus.js';

const MIB = 1024 * 1024;
/** Of a file of 33 MiB. */
const PIECES = 9;
const RULES_TIMEOUT_MS = 60_000;
const RULE_FILES = ['recording-rules.yml', 'alerts.yml'];

/** Panels that show nothing as long as all is well, or where nobody of that kind runs. */
const EMPTY_WHEN_ALL_IS_WELL = new Set([
  'Refused, by cause',
  'Failed attempts at a piece, by code',
  'Hosts that sent bad pieces',
  'Downloads begun and failed',
  'Downloads that failed',
]);

interface Rule {
  expr: string;
  record?: string;
  alert?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

async function readRules(): Promise<Rule[]> {
  const texts = await Promise.all(RULE_FILES.map((name) => readDeployed('prometheus', name)));
  return texts.flatMap((text) => (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules));
}

describe('deploy/prometheus', function () {
  this.timeout(30_000);

  it('has rules and alerts that promtool takes, and whose unit tests pass', async function () {
    if (!hasProgram('promtool')) skipLoudly(this, 'promtool is not installed');
    const directory = join(DEPLOY, 'prometheus');
    for (const args of [
      ['check', 'rules', ...RULE_FILES.map((name) => join(directory, name))],
      ['check', 'config', join(directory, 'prometheus.yml')],
      ['test', 'rules', join(directory, 'alerts.test.yml')],
    ]) {
      const { code, stdout, stderr } = await run('promtool', args);
      assert.equal(code, 0, `${args.join(' ')}\n${stdout}${stderr}`);
    }
  });

  it('tests every alert, and each says what to do', async () => {
    const tests = await readDeployed('prometheus', 'alerts.test.yml');
    const alerts = (await readRules()).filter(({ alert }) => alert !== undefined);
    assert.ok(alerts.length > 0);
    for (const { alert = '', labels, annotations } of alerts) {
      assert.ok(tests.includes(`alertname: ${alert}\n`), alert);
      assert.match(labels?.severity ?? '', /^(critical|warning|info)$/, alert);
      assert.ok(annotations?.summary !== undefined && annotations.description !== undefined, alert);
    }
  });
});

describe('metrics that rules and dashboard name', () => {
  it('are all in docs/METRICS.md, or are of the process and of Node.js', async () => {
    const documented = new Set(tableRows(await readDocument('METRICS.md')).map(([name = '']) => name.slice(1, -1)));
    const expressions = [
      ...(await readRules()).map(({ expr }) => expr),
      ...dashboardQueries(await readDashboard()).map(({ expression }) => expression),
    ];
    const names = expressions.flatMap((expression) => metricNames(expression));
    assert.ok(names.length > 20);
    for (const name of names)
      assert.ok(
        /^(process|nodejs)_/.test(name) || documented.has(name) || documented.has(name.replace(/_bucket$/, '')),
        name,
      );
  });
});

describe('deploy/grafana/dfpeer.json', () => {
  it('has panels with titles, queries and places that do not overlap', async () => {
    const { panels } = await readDashboard();
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    const cells = new Set<string>();
    for (const { title, type, targets, gridPos } of panels) {
      assert.ok(title !== '' && (type === 'row' || (targets ?? []).length > 0), title);
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!cells.has(`${x},${y}`), `${title} overlaps another panel`);
          cells.add(`${x},${y}`);
        }
    }
  });

  it('asks for nodes of the chosen instance only', async () => {
    const { panels, templating } = await readDashboard();
    assert.deepEqual(
      templating.list.map(({ name }) => name),
      ['datasource', 'instance'],
    );
    for (const { title, targets = [] } of panels)
      for (const { expr } of targets) assert.match(expr, /instance=~"\$instance"/, title);
  });
});

describe('a Prometheus that scrapes two daemons which have shared a file', function () {
  this.timeout(180_000);
  const directory = useSharedDirectory();
  const closing: (() => Promise<unknown>)[] = [];
  let started: Started;

  before(async function () {
    if (!hasProgram('prometheus')) skipLoudly(this, 'prometheus is not installed');
    started = await start();
    await share(started);
  });

  after(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  interface Started {
    prometheus: Prometheus;
    get: (name: string) => Promise<void>;
    targets: string[];
  }

  async function start(): Promise<Started> {
    const origin = await Origin.start(33 * MIB);
    closing.push(() => origin.close());
    const a = await DaemonProcess.start(join(directory(), 'a'));
    closing.push(() => a.end());
    const addrs = [`127.0.0.1:${a.ports.scheduler ?? 0}`];
    const b = await DaemonProcess.start(join(directory(), 'b'), { scheduler: { addrs, embedded: { enable: false } } });
    closing.push(() => b.end());
    const targets = [a, b].map(({ ports }) => `127.0.0.1:${ports.metrics}`);
    const prometheus = await Prometheus.start(directory(), targets);
    closing.push(() => prometheus.close());
    const get = async (name: string): Promise<void> => {
      for (const daemon of [a, b]) {
        const args = [origin.url(`/${name}`), '-O', join(daemon.directory, name), '--no-progress'];
        const { code, stderr } = await daemon.dfget(...args);
        assert.equal(code, 0, stderr);
      }
    };
    return { prometheus, get, targets };
  }

  /** Counters count from the second sample on: what was there at the first one is no increase. */
  async function share({ prometheus, get }: Started): Promise<void> {
    await get('first.bin');
    const scraped = async (files: number): Promise<boolean> => {
      const [bytes] = await prometheus.query('sum(dragonfly_client_download_traffic{type="REMOTE_PEER"})');
      const [uploads] = await prometheus.query('sum(dfpeer_upload_transfers_total{result="complete"})');
      return bytes?.value === files * 33 * MIB && uploads?.value === files * PIECES;
    };
    await until('the first file to be scraped', () => scraped(1));
    await get('second.bin');
    await until('the second file to be scraped', () => scraped(2));
  }

  it('answers every query of the dashboard, and has something to show wherever there is something', async () => {
    for (const { panel, expression } of dashboardQueries(await readDashboard())) {
      const samples = await started.prometheus.query(expression);
      if (!EMPTY_WHEN_ALL_IS_WELL.has(panel)) assert.ok(samples.length > 0, `${panel}: ${expression}`);
    }
  });

  it('tells what peers saved, how long pieces took from where, and what uploads cost', async () => {
    const { prometheus, targets } = started;
    const [, b = ''] = targets;
    const of = async (expression: string): Promise<number> => only(await prometheus.query(expression));
    assert.equal(await of(`dragonfly_client_download_traffic{instance="${b}", type="BACK_TO_SOURCE"}`), 0);
    assert.equal(await of('sum(dragonfly_client_download_traffic{type="BACK_TO_SOURCE"})'), 66 * MIB);
    assert.equal(await of('sum(dfpeer_upload_bytes_total)'), 66 * MIB);
    for (const source of ['origin', 'parent']) {
      assert.equal(await of(`sum(dfpeer_download_piece_duration_seconds_count{source="${source}"})`), 2 * PIECES);
      assert.equal(await of(`sum(dfpeer_download_first_piece_seconds_count{source="${source}"})`), 2);
    }
    const evaluated = async (): Promise<boolean> => (await prometheus.rules()).every(({ health }) => health === 'ok');
    await until('the rules to be evaluated', evaluated, RULES_TIMEOUT_MS);
    const recorded = async (): Promise<boolean> => {
      const [ratio] = await prometheus.query(`dfpeer:origin_saved:ratio5m{instance="${b}"}`);
      return ratio?.value === 1;
    };
    await until('the recorded series', recorded, RULES_TIMEOUT_MS);
    const costs = async (): Promise<boolean> => {
      const [cost] = await prometheus.query('dfpeer:cpu_seconds_per_uploaded_gib:ratio5m');
      return cost !== undefined && cost.value > 0;
    };
    await until('the recorded cost of an upload', costs, RULES_TIMEOUT_MS);
  });
});

function only(samples: Sample[]): number {
  const [first, ...others] = samples;
  assert.ok(first !== undefined && others.length === 0, JSON.stringify(samples));
  return first.value;
}
