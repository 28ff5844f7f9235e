import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

interface Line {
  level: string;
  msg: string;
  taskId?: string;
  peerId?: string;
  [field: string]: unknown;
}

describe('the log of a download', function () {
  this.timeout(90_000);
  const directory = useTemporaryDirectory();
  let origin: Origin;
  const daemons: DaemonProcess[] = [];

  beforeEach(async () => {
    origin = await Origin.start(9 * 1024 * 1024);
  });

  afterEach(async () => {
    await Promise.all(daemons.splice(0).map((daemon) => daemon.end()));
    await origin.close();
  });

  async function start(
    name: string,
    config: Record<string, unknown> = {},
    args: string[] = [],
  ): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start(join(directory(), name), config, { args });
    daemons.push(daemon);
    return daemon;
  }

  async function get(daemon: DaemonProcess, path = '/f.bin'): Promise<number> {
    const output = join(daemon.directory, 'out');
    return (await daemon.dfget(origin.url(path), '-O', output, '--overwrite', '--no-progress')).code;
  }

  /** What grep finds: lines that hold the text. */
  function grep(daemon: DaemonProcess, text: string): Line[] {
    return daemon.output.filter((line) => line.includes(text)).map((line) => JSON.parse(line) as Line);
  }

  function idOf(daemon: DaemonProcess, field: 'taskId' | 'peerId'): string {
    const [begin] = grep(daemon, 'a download begins');
    const id = begin?.[field];
    assert.ok(typeof id === 'string', JSON.stringify(begin));
    return id;
  }

  it('is found by task id and by peer id: begin, parents, each piece, end, output; uploads on the other node', async () => {
    const levels = { download: 'debug', upload: 'debug' };
    const a = await start('a', { log: { levels } });
    const addrs = [`127.0.0.1:${a.ports.scheduler ?? 0}`];
    const b = await start('b', { log: { levels }, scheduler: { addrs, embedded: { enable: false } } });
    assert.equal(await get(a), 0);
    assert.equal(await get(b), 0);
    await Promise.all([a.end(), b.end()]);
    for (const field of ['taskId', 'peerId'] as const) {
      const messages = grep(b, idOf(b, field)).map(({ msg }) => msg);
      const story = ['a download begins', 'the task is open', 'fetching from parents', 'a piece is stored'];
      const places = [...story, 'a download is done', 'the output is in place'].map((text) => messages.indexOf(text));
      assert.ok(!places.includes(-1), messages.join('\n'));
      assert.deepEqual(
        [...places].sort((x, y) => x - y),
        places,
        messages.join('\n'),
      );
      assert.equal(messages.filter((text) => text === 'a piece is stored').length, 3);
    }
    const [done] = grep(b, 'a download is done');
    assert.deepEqual(done?.bytes, { parents: 9 * 1024 * 1024, origin: 0 });
    assert.ok(grep(a, idOf(a, 'taskId')).some(({ msg }) => msg === 'fetching from the origin'));
    const uploads = grep(a, idOf(b, 'taskId')).filter(({ msg }) => msg === 'an upload ended');
    assert.equal(uploads.length, 3);
  });

  it('ends with the code when it fails', async () => {
    origin.behaviour = { status: 403 };
    const a = await start('a');
    assert.equal(await get(a), 3);
    await a.end();
    const lines = grep(a, idOf(a, 'taskId'));
    assert.ok(
      lines.some(
        ({ level, code, msg }) =>
          level === 'warn' && code === 'DFP_ORIGIN_STATUS' && msg.startsWith('a download failed: '),
      ),
    );
  });

  it('holds no secret: signatures, user and password, headers', async () => {
    const a = await start('a', { log: { levels: { download: 'debug', grpc: 'debug' } } });
    const url = origin.url('/f.bin?X-Amz-Signature=hunter2&part=7').replace('http://', 'http://me:hunter2@');
    const args = ['-O', join(a.directory, 'out'), '--no-progress', '-H', 'Authorization: Bearer hunter2'];
    await a.dfget(url, ...args);
    origin.behaviour = { status: 500 };
    await a.dfget(`${url}&other=1`, ...args, '--overwrite');
    await a.end();
    assert.ok(grep(a, 'a download begins').length > 0);
    assert.deepEqual(grep(a, 'hunter2'), []);
  });
});
