import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** One host of the network: a namespace with one address. */
export interface Host {
  ip: string;
  /** Runs what follows inside the namespace. */
  inside: readonly string[];
}

/**
 * A switch with any number of hosts, each a network namespace with a veth to a bridge, which has a namespace of its own.
 * This process sits at the same switch under `here`.
 */
export class Network {
  readonly #name = `dfp${randomBytes(3).toString('hex')}`;
  readonly #prefix = `10.${200 + (process.pid % 50)}.${(process.pid >> 6) % 250}`;
  readonly #namespaces: string[] = [];

  constructor() {
    this.#addNamespace(this.#name);
    ip('-n', this.#name, 'link', 'add', 'bridge', 'type', 'bridge');
    ip('-n', this.#name, 'link', 'set', 'bridge', 'up');
    ip('link', 'add', this.#name, 'type', 'veth', 'peer', 'name', 'here', 'netns', this.#name);
    ip('-n', this.#name, 'link', 'set', 'here', 'master', 'bridge', 'up');
    ip('addr', 'add', `${this.here}/24`, 'dev', this.#name);
    ip('link', 'set', this.#name, 'up');
  }

  get here(): string {
    return `${this.#prefix}.1`;
  }

  get cidr(): string {
    return `${this.#prefix}.0/24`;
  }

  addHost(): Host {
    const number = this.#namespaces.length + 1;
    const namespace = `${this.#name}-${number}`;
    const address = `${this.#prefix}.${number}`;
    this.#addNamespace(namespace);
    const port = `port${number}`;
    ip('-n', this.#name, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    ip('-n', this.#name, 'link', 'set', port, 'master', 'bridge', 'up');
    ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    return { ip: address, inside: ['ip', 'netns', 'exec', namespace] };
  }

  /** Idempotent; the processes inside should have ended. */
  close(): void {
    for (const namespace of this.#namespaces.splice(0).reverse()) ip('netns', 'delete', namespace);
  }

  #addNamespace(namespace: string): void {
    ip('netns', 'add', namespace);
    this.#namespaces.push(namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args);
}
