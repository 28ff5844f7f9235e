import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** One kernel buffer's worth above a GSO packet; the queue is what a switch port would hold. */
const SHAPING = ['burst', '128kb', 'latency', '50ms'];
const SUBNET = '10.77.0';

/** A host of its own: a network namespace whose link is shaped both ways. */
export interface ShapedHost {
  ip: string;
  /** Put before a command to run it there. */
  inside: string[];
}

/** Hosts on one switch, all in namespaces of their own: nothing of the machine's network is touched. Needs root. */
export class ShapedNetwork {
  readonly #prefix = `dfpb-${randomBytes(3).toString('hex')}`;
  readonly #namespaces: string[] = [];
  readonly #bitsPerSecond: number;

  constructor(bitsPerSecond: number) {
    this.#bitsPerSecond = bitsPerSecond;
    this.#makeNamespace('switch');
    inside(this.#name('switch'), 'ip', 'link', 'add', 'bridge', 'type', 'bridge');
    inside(this.#name('switch'), 'ip', 'link', 'set', 'bridge', 'up');
  }

  addHost(): ShapedHost {
    const index = this.#namespaces.length;
    const [host, port] = [`host${index}`, `port${index}`];
    const [hostSpace, switchSpace] = [this.#makeNamespace(host), this.#name('switch')];
    inside(switchSpace, 'ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', hostSpace);
    inside(switchSpace, 'ip', 'link', 'set', port, 'master', 'bridge', 'up');
    const ip = `${SUBNET}.${index}`;
    inside(hostSpace, 'ip', 'addr', 'add', `${ip}/24`, 'dev', 'eth0');
    inside(hostSpace, 'ip', 'link', 'set', 'eth0', 'up');
    for (const [space, device] of [
      [hostSpace, 'eth0'],
      [switchSpace, port],
    ] as const)
      inside(
        space,
        'tc',
        'qdisc',
        'add',
        'dev',
        device,
        'root',
        'tbf',
        'rate',
        `${this.#bitsPerSecond}bit`,
        ...SHAPING,
      );
    return { ip, inside: ['ip', 'netns', 'exec', hostSpace] };
  }

  /** What runs in the hosts must have ended. */
  close(): void {
    for (const name of this.#namespaces) execFileSync('ip', ['netns', 'delete', name]);
  }

  #makeNamespace(role: string): string {
    const name = this.#name(role);
    execFileSync('ip', ['netns', 'add', name]);
    this.#namespaces.push(name);
    inside(name, 'ip', 'link', 'set', 'lo', 'up');
    inside(name, 'sysctl', '-qw', 'net.ipv4.tcp_congestion_control=reno');
    return name;
  }

  #name(role: string): string {
    return `${this.#prefix}-${role}`;
  }
}

function inside(namespace: string, ...command: string[]): void {
  execFileSync('ip', ['netns', 'exec', namespace, ...command]);
}
