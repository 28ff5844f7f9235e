import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { DaemonProcess } from '../../test/support/daemon-process.js';
import { freePort } from '../../test/support/free-port.js';
import { hasProgram } from './network.js';

/** A server process that answers ranges of one file. */
export interface MeasuredServer {
  name: string;
  pid: number;
  /** Default: http. */
  protocol?: 'http' | 'vortex';
  port: number;
  /** Names a task to a vortex server. */
  path: string;
  /** What it reads, also by another link; to be put out of the page cache. */
  file: string;
  stop(): Promise<void>;
}

export interface DfpeerServer extends MeasuredServer {
  daemon: DaemonProcess;
}

/** A real daemon that has fetched the file from `url`; `upload` is that section of its configuration. */
export async function startDfpeer(
  name: string,
  directory: string,
  url: string,
  upload: Record<string, unknown> = {},
): Promise<DfpeerServer> {
  const daemon = await DaemonProcess.start(directory, uploadConfig(upload));
  const result = await daemon.dfget(url, '-O', join(directory, 'copy'), '--no-progress');
  if (result.code !== 0) throw new Error(result.stderr);
  const taskId = /[0-9a-f]{64}/.exec(daemon.output.join('\n'))?.[0];
  if (taskId === undefined) throw new Error('the daemon did not name its task');
  const stop = async (): Promise<void> => {
    await daemon.end();
  };
  return {
    name,
    pid: daemon.pid,
    port: daemon.ports.http,
    path: `/download/${taskId.slice(0, 3)}/${taskId}?peerId=bench`,
    file: join(directory, 'copy'),
    daemon,
    stop,
  };
}

/** The same daemon, asked over vortex. */
export function overVortex(name: string, { daemon, ...server }: DfpeerServer): MeasuredServer {
  return { ...server, name, protocol: 'vortex', port: daemon.ports.vortex, stop: () => Promise.resolve() };
}

/** Caps that one client with all its connections doesn't reach. */
export function uploadConfig(upload: Record<string, unknown>): Record<string, unknown> {
  return { upload: { server: { ip: '127.0.0.1', port: 0 }, maxConcurrentTransfersPerIP: 2000, ...upload } };
}

/** nginx with one process, if it is installed. */
export async function startNginx(
  name: string,
  file: string,
  directory: string,
  sendfile: boolean,
): Promise<MeasuredServer | undefined> {
  if (!hasProgram('nginx')) return undefined;
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${directory}/${kind};`)
    .join('\n');
  const config = join(directory, `nginx-${port}.conf`);
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${directory}/nginx-${port}.pid; error_log ${directory}/nginx.log; user root;
events { worker_connections 2048; }
http { access_log off; ${temporary} sendfile ${sendfile ? 'on' : 'off'}; tcp_nodelay on; keepalive_requests 1000000; output_buffers 2 512k;
  server { listen 127.0.0.1:${port}; root ${dirname(file)}; } }`,
  );
  const child = spawn('nginx', ['-c', config, '-p', directory], { stdio: 'inherit' });
  await untilAnswers(port);
  return measured(name, child, port, file);
}

export async function startReadStream(name: string, file: string): Promise<MeasuredServer> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'servers', 'read-stream.js'), file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return measured(name, child, await printedPort(child), file);
}

/** Go's file server, if Go is installed. */
export async function startGo(name: string, file: string, directory: string): Promise<MeasuredServer | undefined> {
  if (!hasProgram('go')) return undefined;
  const source = join(import.meta.dirname, '..', '..', '..', 'bench', 'servers', 'file-server.go');
  const binary = join(directory, 'go-file-server');
  execFileSync('go', ['build', '-o', binary, source], { env: { ...process.env, GO111MODULE: 'off', GOFLAGS: '' } });
  const child = spawn(binary, [dirname(file)], { stdio: ['ignore', 'pipe', 'inherit'] });
  return measured(name, child, await printedPort(child), file);
}

function measured(name: string, child: ChildProcess, port: number, file: string): MeasuredServer {
  const stop = async (): Promise<void> => {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  };
  return { name, pid: child.pid ?? 0, port, path: `/${basename(file)}`, file, stop };
}

async function printedPort(child: ChildProcess): Promise<number> {
  if (child.stdout === null) throw new Error('the server has no output');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return Number(line);
}

async function untilAnswers(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = connect(port, '127.0.0.1');
    const answered = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`nothing answers on port ${port}`);
}
