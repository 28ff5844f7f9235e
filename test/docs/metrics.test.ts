import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useSharedDirectory } from '../support/temporary-directory.js';
import { readDocument, tableRows } from './support.js';

interface Scraped {
  type: string;
  help: string;
  labels: Set<string>;
}

/** Added by Prometheus' own types: buckets and quantiles. */
const STRUCTURAL_LABELS = ['le', 'quantile'];

describe('docs/METRICS.md', function () {
  this.timeout(60_000);
  const directory = useSharedDirectory();
  let daemon: DaemonProcess;
  let origin: Origin;

  before(async () => {
    origin = await Origin.start(5 * 1024 * 1024);
    daemon = await DaemonProcess.start(join(directory(), 'a'));
  });

  after(async () => {
    await daemon.end();
    await origin.close();
  });

  it('lists the metrics of a running daemon, with types, labels and meanings', async () => {
    await daemon.dfget(origin.url(), '-O', join(directory(), 'out'), '--no-progress');
    await fetch(`http://127.0.0.1:${daemon.ports.http}/download/abc/none`);
    const response = await fetch(`http://127.0.0.1:${daemon.ports.metrics}/metrics`);
    const scraped = parseExposition(await response.text());
    const documented = new Map(
      tableRows(await readDocument('METRICS.md')).map(([name = '', type, labels = '', help]) => [
        name.slice(1, -1),
        { type, help, labels: new Set([...labels.matchAll(/`([^`]+)`/g)].map(([, label = '']) => label)) },
      ]),
    );
    const own = [...scraped].filter(([name]) => /^(dfpeer|dragonfly)_/.test(name));
    assert.deepEqual(own.map(([name]) => name).sort(), [...documented.keys()].sort());
    for (const [name, { type, help, labels }] of own) {
      const row = documented.get(name);
      assert.equal(row?.type, type, name);
      assert.equal(row?.help, help.replace(/\.$/, ''), name);
      for (const label of labels) assert.ok(row?.labels.has(label), `${name} has a label ${label}`);
    }
  });

  it('names nothing that a daemon does not have', async () => {
    const text = await readDocument('METRICS.md');
    const listed = new Set(tableRows(text).map(([name = '']) => name.slice(1, -1)));
    for (const [name] of text.matchAll(/\b(?:dfpeer|dragonfly_client)_[a-z_]*[a-z]\b/g))
      if (name !== 'dragonfly_client') assert.ok(listed.has(name), name);
  });

  it('is right that all others are of the process and of Node.js', async () => {
    const response = await fetch(`http://127.0.0.1:${daemon.ports.metrics}/metrics`);
    for (const name of parseExposition(await response.text()).keys())
      assert.match(name, /^(dfpeer|dragonfly_client|process|nodejs)_/);
  });
});

function parseExposition(text: string): Map<string, Scraped> {
  const metrics = new Map<string, Scraped>();
  for (const [, name = '', help = ''] of text.matchAll(/^# HELP (\S+) (.*)$/gm))
    metrics.set(name, { help, type: '', labels: new Set() });
  for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const metric = metrics.get(name);
    if (metric !== undefined) metric.type = type;
  }
  for (const [, sample = '', labels = ''] of text.matchAll(/^([a-z_]+)\{(.*)\} /gm)) {
    const metric = metrics.get(sample) ?? metrics.get(sample.replace(/_(bucket|sum|count)$/, ''));
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g))
      if (!STRUCTURAL_LABELS.includes(label)) metric?.labels.add(label);
  }
  return metrics;
}
