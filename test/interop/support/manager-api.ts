import { until } from '../../support/until.js';

/** Dragonfly's manager looks after the state of a job every few seconds, and its scheduler for seeds every 30 s. */
const JOB_TIMEOUT_MS = 90_000;

export type JobType = 'preheat' | 'get_task' | 'delete_task';

export interface BlockedDownloads {
  tags?: string[];
  urls?: string[];
}

/** As the manager tells it; `result` is what its schedulers answered. */
export interface Job {
  id: number;
  state: string;
  result: unknown;
}

/** The manager's HTTP interface, signed in as the account that a new manager starts with. */
export class ManagerApi {
  readonly #base: string;
  readonly #token: string;

  private constructor(base: string, token: string) {
    this.#base = base;
    this.#token = token;
  }

  static async signIn(url: string): Promise<ManagerApi> {
    const base = `${url}/api/v1`;
    const answer = await fetch(`${base}/users/signin`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'root', password: 'dragonfly' }),
    });
    if (!answer.ok) throw new Error(`the manager answers ${answer.status} to a sign-in: ${await answer.text()}`);
    const { token } = (await answer.json()) as { token: string };
    return new ManagerApi(base, token);
  }

  async hasActiveScheduler(): Promise<boolean> {
    const schedulers = (await this.#ask('/schedulers')) as { state: string }[];
    return schedulers.some(({ state }) => state === 'active');
  }

  /** What the peers and the seeds of the first cluster may not download. */
  async blockDownloads(peers: BlockedDownloads, seeds: BlockedDownloads): Promise<void> {
    const block = (download: BlockedDownloads): unknown => ({ block_list: { task: { download } } });
    const config = { client_config: block(peers), seed_client_config: block(seeds) };
    await this.#ask('/scheduler-clusters/1', config, 'PATCH');
  }

  /** Resolves with the job once it has ended, well or not. */
  async runJob(type: JobType, args: Record<string, unknown>): Promise<Job> {
    const { id } = (await this.#ask('/jobs', { type, args })) as Job;
    const look = async (): Promise<Job> => (await this.#ask(`/jobs/${id}`)) as Job;
    const hasEnded = async (): Promise<boolean> => /SUCCESS|FAILURE/.test((await look()).state);
    await until(`the ${type} job to end`, hasEnded, JOB_TIMEOUT_MS);
    return look();
  }

  async #ask(path: string, body?: unknown, method = body === undefined ? 'GET' : 'POST'): Promise<unknown> {
    const answer = await fetch(`${this.#base}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`the manager answers ${answer.status} to ${path}: ${await answer.text()}`);
    return answer.json();
  }
}
