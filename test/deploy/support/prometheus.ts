import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from '../../support/free-port.js';
import { until } from '../../support/until.js';
import { readDeployed } from './deploy-files.js';

/** One series of an instant query's answer. */
export interface Sample {
  metric: Record<string, string>;
  value: number;
}

interface QueryAnswer {
  status: string;
  error?: string;
  data?: { resultType: string; result: { metric: Record<string, string>; value: [number, string] }[] };
}

/** A real Prometheus with the rules of deploy/, scraping every half second. */
export class Prometheus {
  readonly #child: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#url = `http://127.0.0.1:${port}`;
  }

  /** @param targets `host:port` of /metrics each */
  static async start(directory: string, targets: readonly string[]): Promise<Prometheus> {
    for (const name of ['recording-rules.yml', 'alerts.yml']) {
      const rules = await readDeployed('prometheus', name);
      await writeFile(join(directory, name), rules.replace(/^ {4}interval: \w+$/m, '    interval: 500ms'));
    }
    const config = {
      global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
      rule_files: ['recording-rules.yml', 'alerts.yml'],
      scrape_configs: [{ job_name: 'dfpeer', static_configs: [{ targets }] }],
    };
    await writeFile(join(directory, 'prometheus.yml'), stringify(config));
    // It doesn't take port 0.
    const port = await freePort();
    const child = spawn(
      'prometheus',
      [
        `--config.file=${join(directory, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const prometheus = new Prometheus(child, port);
    await until('Prometheus to be ready', async () =>
      fetch(`http://127.0.0.1:${port}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    return prometheus;
  }

  /** The answer now. @throws Error with Prometheus' own words for a query that is not legal */
  async query(expression: string): Promise<Sample[]> {
    const response = await fetch(`${this.#url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: expression }),
    });
    const { error, data } = (await response.json()) as QueryAnswer;
    if (data === undefined) throw new Error(`${expression}\n${error ?? 'no answer'}`);
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** State of each rule: `ok`, or what is wrong with it. */
  async rules(): Promise<{ name: string; health: string; lastError?: string }[]> {
    const response = await fetch(`${this.#url}/api/v1/rules`);
    const { data } = (await response.json()) as {
      data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    };
    return data.groups.flatMap(({ rules }) => rules);
  }

  async close(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill();
    await exited;
  }
}
