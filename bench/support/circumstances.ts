import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { DaemonProcess } from '../../test/support/daemon-process.js';

/** What surrounds the daemon that is measured. */
export interface Circumstance {
  name: string;
  start(directory: string): Promise<RunningCircumstance>;
}

export interface RunningCircumstance {
  daemon: DaemonProcess;
  /** Before each download, outside of the measured time. */
  prepare(url: string): Promise<void>;
  end(): Promise<void>;
}

const NO_SCHEDULER_OF_ITS_OWN = { scheduler: { embedded: { enable: false } } };

export const CIRCUMSTANCES: readonly Circumstance[] = [
  { name: 'healthy', start: async (directory) => alone(await DaemonProcess.start(join(directory, 'daemon'))) },
  { name: 'scheduler dead', start: (directory) => withScheduler(directory, '127.0.0.1:1') },
  { name: 'scheduler silent from the start', start: startWithSilentScheduler },
  { name: 'scheduler falls silent', start: startWithHungScheduler },
  { name: 'parent dead', start: (directory) => startWithParent(directory, 'SIGKILL') },
  { name: 'parent silent', start: (directory) => startWithParent(directory, 'SIGSTOP') },
];

function alone(daemon: DaemonProcess): RunningCircumstance {
  return {
    daemon,
    prepare: async () => undefined,
    end: async () => {
      await daemon.end();
    },
  };
}

async function withScheduler(directory: string, address: string): Promise<RunningCircumstance> {
  return alone(await startChild(directory, address));
}

function startChild(directory: string, address: string): Promise<DaemonProcess> {
  return DaemonProcess.start(join(directory, 'daemon'), NO_SCHEDULER_OF_ITS_OWN, { args: ['--scheduler', address] });
}

/** Accepts connections, and never says anything. */
async function startWithSilentScheduler(directory: string): Promise<RunningCircumstance> {
  const server: Server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const running = await withScheduler(directory, `127.0.0.1:${(server.address() as AddressInfo).port}`);
  return {
    ...running,
    end: async () => {
      await running.end();
      server.close();
    },
  };
}

/** One that worked stops answering before each download: the daemon can't know. */
async function startWithHungScheduler(directory: string): Promise<RunningCircumstance> {
  const scheduler = await DaemonProcess.start(join(directory, 'scheduler'));
  const daemon = await startChild(directory, schedulerOf(scheduler));
  return {
    daemon,
    prepare: async () => scheduler.signal('SIGSTOP'),
    end: async () => {
      scheduler.signal('SIGCONT');
      await Promise.all([daemon.end(), scheduler.end()]);
    },
  };
}

/** A parent that has the file, as the scheduler believes, and has gone or hangs. It is the first of each file's takers. */
async function startWithParent(directory: string, fate: 'SIGKILL' | 'SIGSTOP'): Promise<RunningCircumstance> {
  const scheduler = await DaemonProcess.start(join(directory, 'scheduler'));
  const args = ['--scheduler', schedulerOf(scheduler)];
  const parent = await DaemonProcess.start(join(directory, 'parent'), NO_SCHEDULER_OF_ITS_OWN, { args });
  const daemon = await startChild(directory, schedulerOf(scheduler));
  let isGone = false;
  const revive = async (): Promise<void> => {
    if (!isGone) return;
    isGone = false;
    if (fate === 'SIGSTOP') parent.signal('SIGCONT');
    else await parent.restart();
  };
  return {
    daemon,
    prepare: async (url) => {
      await revive();
      const { code, stderr } = await parent.dfget(url, '-O', join(directory, 'copy'), '--overwrite', '--no-progress');
      if (code !== 0) throw new Error(stderr);
      isGone = true;
      if (fate === 'SIGKILL') await parent.end('SIGKILL');
      else parent.signal('SIGSTOP');
    },
    end: async () => {
      await revive();
      await Promise.all([daemon.end(), parent.end()]);
      await scheduler.end();
    },
  };
}

function schedulerOf({ ports }: DaemonProcess): string {
  return `127.0.0.1:${ports.scheduler ?? 0}`;
}
