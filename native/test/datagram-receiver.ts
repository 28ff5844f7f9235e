import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const NEXT_TIMEOUT_MS = 20_000;

/** Binds argv[1], says so, and prints each datagram as a JSON string a line. */
const PROGRAM = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
s.bind('\\0' + path[1:] if path.startswith('@') else path)
print('bound', flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`;

/** The end of a unix datagram socket that a service manager holds: Node has none, Python does. */
export class DatagramReceiver {
  static readonly available = spawnSync('python3', ['--version'], { stdio: 'ignore' }).status === 0;
  readonly path: string;
  readonly #child: ChildProcess;
  readonly #received: string[] = [];
  #wake: () => void = () => undefined;

  private constructor(path: string, child: ChildProcess) {
    this.path = path;
    this.#child = child;
  }

  /** @param path `@name` for the abstract namespace */
  static async start(path: string): Promise<DatagramReceiver> {
    const child = spawn('python3', ['-c', PROGRAM, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const receiver = new DatagramReceiver(path, child);
    const lines = createInterface({ input: child.stdout });
    await once(lines, 'line');
    lines.on('line', (line) => {
      receiver.#received.push(JSON.parse(line) as string);
      receiver.#wake();
    });
    return receiver;
  }

  /** The oldest datagram that was not taken yet. */
  async next(): Promise<string> {
    const deadline = Date.now() + NEXT_TIMEOUT_MS;
    for (;;) {
      const text = this.#received.shift();
      if (text !== undefined) return text;
      if (Date.now() > deadline) throw new Error('no datagram came');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, NEXT_TIMEOUT_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Skips others until one matches. */
  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const text = await this.next();
      if (pattern.test(text)) return text;
    }
  }

  async close(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill();
    await exited;
  }
}
