import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const LISTENING = `const server = require('node:net').createServer();
server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => process.stdout.write(String(server.address().port)));`;
/** A connection on loopback that takes longer than this isn't made. */
const CONNECT_MS = 500;

/** A loopback port that answers nobody who connects, like one behind a firewall that drops what comes: its backlog is full, and stays so. */
export class DeafPort {
  readonly port: number;
  readonly #end: () => Promise<void>;

  private constructor(port: number, end: () => Promise<void>) {
    this.port = port;
    this.#end = end;
  }

  static async open(): Promise<DeafPort> {
    const listener = spawn(process.execPath, ['-e', LISTENING], { stdio: ['ignore', 'pipe', 'inherit'] });
    const sockets: Socket[] = [];
    const [told] = (await once(listener.stdout, 'data')) as [Buffer];
    const port = Number(told.toString());
    listener.kill('SIGSTOP');
    do sockets.push(connect(port, '127.0.0.1').on('error', () => undefined));
    while (await connects(sockets.at(-1)));
    return new DeafPort(port, async () => {
      for (const socket of sockets) socket.destroy();
      const ended = once(listener, 'exit');
      listener.kill('SIGKILL');
      await ended;
    });
  }

  async close(): Promise<void> {
    await this.#end();
  }
}

async function connects(socket: Socket | undefined): Promise<boolean> {
  if (socket === undefined) return false;
  const connected = once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS) });
  return connected.then(() => true, () => false); // prettier-ignore
}
