import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Config } from '../../support/config.js';
import { run } from '../../support/daemon-process.js';
import { until } from '../../support/until.js';
import type { Cluster } from './cluster.js';
import type { Host } from './network.js';
import { Program } from './program.js';
import { programPath } from './programs.js';

const MANAGER_PORT = 65003;
const REST_PORT = 8080;
const REDIS_PORT = 6379;
const DATABASE_PORT = 3306;
/** Of a database that lives as long as a test, on a network of its own. */
const DATABASE_PASSWORD = 'interop';
const SIGNING_KEY = Buffer.from('dfpeer interoperability tests').toString('base64');

/** What a full cluster has behind its scheduler: manager, redis and MariaDB on one host. */
export class ManagedBackend {
  readonly host: Host;
  readonly manager: Program;

  private constructor(host: Host, manager: Program) {
    this.host = host;
    this.manager = manager;
  }

  static async start(cluster: Cluster): Promise<ManagedBackend> {
    const host = cluster.network.addHost();
    // The database drops its rights and must still reach its files.
    await chmod(cluster.directory, 0o755);
    await Promise.all([startDatabase(cluster, host), startRedis(cluster, host)]);
    return new ManagedBackend(host, await startManager(cluster, host));
  }

  /** For daemons of both makers. */
  get managerAddress(): string {
    return `http://${this.host.ip}:${MANAGER_PORT}`;
  }

  /** To be merged into the scheduler's. */
  get schedulerConfig(): Config {
    return {
      manager: { addr: `${this.host.ip}:${MANAGER_PORT}`, schedulerClusterID: 1 },
      database: { redis: { addrs: [`${this.host.ip}:${REDIS_PORT}`] } },
    };
  }

  /** Resolves when the manager would name the scheduler to peers. */
  async untilSchedulerIsActive(): Promise<void> {
    const base = `http://${this.host.ip}:${REST_PORT}/api/v1`;
    const signedIn = await fetch(`${base}/users/signin`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      // The account that a new manager starts with.
      body: JSON.stringify({ name: 'root', password: 'dragonfly' }),
    });
    const { token } = (await signedIn.json()) as { token: string };
    await until('the scheduler to be active at the manager', async () => {
      const answer = await fetch(`${base}/schedulers`, { headers: { authorization: `Bearer ${token}` } });
      const schedulers = (await answer.json()) as { state: string }[];
      return schedulers.some(({ state }) => state === 'active');
    });
  }
}

async function startDatabase(cluster: Cluster, host: Host): Promise<void> {
  const directory = join(cluster.directory, 'database');
  const [data, socket] = [join(directory, 'data'), join(directory, 'mysqld.sock')];
  await mkdir(directory, { recursive: true });
  await must('mariadb-install-db', [
    '--no-defaults',
    '--user=root',
    `--datadir=${data}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
  ]);
  await cluster.start(
    new Program({
      name: 'mariadbd',
      host,
      command: [
        'mariadbd',
        '--no-defaults',
        '--user=root',
        `--datadir=${data}`,
        `--socket=${socket}`,
        `--pid-file=${join(directory, 'mysqld.pid')}`,
        `--bind-address=${host.ip}`,
        `--port=${DATABASE_PORT}`,
        '--skip-name-resolve',
        '--innodb-buffer-pool-size=64M',
      ],
      logFile: join(directory, 'output.log'),
      ports: [DATABASE_PORT],
    }),
  );
  const statements = [
    'CREATE DATABASE manager CHARACTER SET utf8mb4',
    `CREATE USER 'dragonfly'@'%' IDENTIFIED BY '${DATABASE_PASSWORD}'`,
    "GRANT ALL ON manager.* TO 'dragonfly'@'%'",
  ];
  await must('mariadb', ['--no-defaults', '-uroot', `--socket=${socket}`, '-e', statements.join('; ')]);
}

async function startRedis(cluster: Cluster, host: Host): Promise<void> {
  const options = { bind: host.ip, port: String(REDIS_PORT), 'protected-mode': 'no', save: '', appendonly: 'no' };
  await cluster.start(
    new Program({
      name: 'redis',
      host,
      command: ['redis-server', ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])],
      logFile: join(cluster.directory, 'redis', 'output.log'),
      ports: [REDIS_PORT],
    }),
  );
}

async function startManager(cluster: Cluster, host: Host): Promise<Program> {
  const directory = join(cluster.directory, 'manager');
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'manager.yaml');
  const port = { start: MANAGER_PORT, end: MANAGER_PORT };
  const mysql = { user: 'dragonfly', password: DATABASE_PASSWORD, host: host.ip, port: DATABASE_PORT };
  await writeFile(
    file,
    stringify({
      server: {
        grpc: { advertiseIP: host.ip, listenIP: '0.0.0.0', port },
        rest: { addr: `${host.ip}:${REST_PORT}` },
        logDir: join(directory, 'log'),
        pluginDir: join(directory, 'plugins'),
      },
      auth: { jwt: { key: SIGNING_KEY } },
      database: {
        type: 'mysql',
        mysql: { ...mysql, dbname: 'manager', migrate: true },
        redis: { addrs: [`${host.ip}:${REDIS_PORT}`] },
      },
      console: true,
    }),
  );
  return cluster.start(
    new Program({
      name: 'manager',
      host,
      command: [programPath('manager'), '--config', file],
      logFile: join(directory, 'output.log'),
      ports: [MANAGER_PORT, REST_PORT],
    }),
  );
}

async function must(program: string, args: string[]): Promise<void> {
  const { code, stderr } = await run(program, args);
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr.slice(-2000)}`);
}
