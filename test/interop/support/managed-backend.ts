import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Config } from '../../support/config.js';
import { run } from '../../support/daemon-process.js';
import { until } from '../../support/until.js';
import type { Cluster } from './cluster.js';
import { ManagerApi } from './manager-api.js';
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

/** Paths of PEM files, as Dragonfly's Go programs name them. */
export interface BackendTls {
  caCert: string;
  cert: string;
  key: string;
}

/** What a full cluster has behind its scheduler: manager, redis and MariaDB on one host. */
export class ManagedBackend {
  readonly host: Host;
  readonly manager: Program;
  readonly redis: Program;
  readonly database: Program;
  readonly #tls: BackendTls | undefined;

  private constructor(host: Host, programs: Record<'manager' | 'redis' | 'database', Program>, tls?: BackendTls) {
    this.host = host;
    this.manager = programs.manager;
    this.redis = programs.redis;
    this.database = programs.database;
    this.#tls = tls;
  }

  /** @param tls of the manager's gRPC server, and of whoever calls it */
  static async start(
    cluster: Cluster,
    tls?: BackendTls,
    host: Host = cluster.network.addHost(),
  ): Promise<ManagedBackend> {
    // The database drops its rights and must still reach its files.
    await chmod(cluster.directory, 0o755);
    const [database, redis] = await Promise.all([startDatabase(cluster, host), startRedis(cluster, host)]);
    return new ManagedBackend(host, { manager: await startManager(cluster, host, tls), redis, database }, tls);
  }

  /** For daemons of both makers. */
  get managerAddress(): string {
    return `${this.#tls === undefined ? 'http' : 'https'}://${this.host.ip}:${MANAGER_PORT}`;
  }

  /** To be merged into the scheduler's. */
  get schedulerConfig(): Config {
    return {
      manager: { addr: `${this.host.ip}:${MANAGER_PORT}`, schedulerClusterID: 1, ...withTls(this.#tls) },
      database: { redis: { addrs: [`${this.host.ip}:${REDIS_PORT}`] } },
    };
  }

  /** What the manager offers to people and programs over HTTP. */
  signIn(): Promise<ManagerApi> {
    return ManagerApi.signIn(`http://${this.host.ip}:${REST_PORT}`);
  }

  /** Resolves when the manager would name the scheduler to peers. */
  async untilSchedulerIsActive(): Promise<void> {
    const api = await this.signIn();
    await until('the scheduler to be active at the manager', () => api.hasActiveScheduler());
  }
}

function withTls(tls: BackendTls | undefined): { tls?: BackendTls } {
  return tls === undefined ? {} : { tls };
}

async function startDatabase(cluster: Cluster, host: Host): Promise<Program> {
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
  const database = await cluster.start(
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
  return database;
}

async function startRedis(cluster: Cluster, host: Host): Promise<Program> {
  const options = { bind: host.ip, port: String(REDIS_PORT), 'protected-mode': 'no', save: '', appendonly: 'no' };
  return cluster.start(
    new Program({
      name: 'redis',
      host,
      command: ['redis-server', ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])],
      logFile: join(cluster.directory, 'redis', 'output.log'),
      ports: [REDIS_PORT],
    }),
  );
}

async function startManager(cluster: Cluster, host: Host, tls: BackendTls | undefined): Promise<Program> {
  const directory = join(cluster.directory, 'manager');
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'manager.yaml');
  const port = { start: MANAGER_PORT, end: MANAGER_PORT };
  const mysql = { user: 'dragonfly', password: DATABASE_PASSWORD, host: host.ip, port: DATABASE_PORT };
  await writeFile(
    file,
    stringify({
      server: {
        grpc: { advertiseIP: host.ip, listenIP: '0.0.0.0', port, ...withTls(tls) },
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
