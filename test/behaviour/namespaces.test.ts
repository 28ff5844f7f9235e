import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { canMakeNamespaces, skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const MIB = 1024 * 1024;

const HERE = '10.231.7.1';
const THERE = '10.231.7.2';

/** A second host on this machine: a network namespace with a veth pair to it, gone after the test. */
class SecondHost {
  readonly name = `dfp-${Math.random().toString(36).slice(2, 8)}`;

  constructor() {
    ip('netns', 'add', this.name);
    ip('link', 'add', this.name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.name);
    ip('addr', 'add', `${HERE}/24`, 'dev', this.name);
    ip('link', 'set', this.name, 'up');
    ip('-n', this.name, 'addr', 'add', `${THERE}/24`, 'dev', 'eth0');
    for (const device of ['lo', 'eth0']) ip('-n', this.name, 'link', 'set', device, 'up');
  }

  get inside(): string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  close(): void {
    ip('netns', 'delete', this.name);
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args);
}

describe('two hosts', function () {
  this.timeout(120_000);
  const directory = useTemporaryDirectory();

  it('share a file over a network, found through the scheduler of the first', async function () {
    if (!canMakeNamespaces()) skipLoudly(this, 'this needs root and network namespaces');
    const second = new SecondHost();
    const origin = await Origin.start(24 * MIB, {}, HERE);
    const daemons: DaemonProcess[] = [];
    const on = (address: string): Record<string, unknown> => ({
      host: { ip: address },
      upload: { server: { ip: address, port: 0 } },
      storage: { server: { ip: address } },
    });
    try {
      const a = await DaemonProcess.start(join(directory(), 'a'), {
        ...on(HERE),
        scheduler: { embedded: { ip: HERE } },
      });
      daemons.push(a);
      const scheduler = { embedded: { enable: false }, addrs: [`${HERE}:${a.ports.scheduler ?? 0}`] };
      const b = await DaemonProcess.start(join(directory(), 'b'), { ...on(THERE), scheduler }, { wrap: second.inside });
      daemons.push(b);
      for (const daemon of daemons) {
        const output = join(daemon.directory, 'file');
        const result = await daemon.dfget(origin.url(), '-O', output, '--no-progress');
        assert.equal(result.code, 0, result.stderr);
        assert.ok((await readFile(output)).equals(origin.content));
      }
      assert.equal(await a.metric('dfpeer_upload_bytes_total', { route: 'sendfile' }), origin.content.length);
      assert.equal(origin.contentBytes, origin.content.length);
    } finally {
      await Promise.all(daemons.map((daemon) => daemon.end()));
      await origin.close();
      second.close();
    }
  });
});
