import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { bindLibc } from './bind-libc.js';
import type { CLibrary } from './bind-libc.js';
import { keepExitFromHanging } from './koffi-exit.js';
import type { Libc } from './libc.js';
import { isSupportedArch } from './linux-abi.js';

/** Whether this process can make native calls. */
export type NativeSupport = { available: true } | { available: false; reason: string };

export type LibcLoad = { available: true; libc: Libc } | { available: false; reason: string };

/** What loading depends on; tests bring their own. */
export interface LoadEnvironment {
  platform: string;
  arch: string;
  loadKoffi: () => typeof Koffi;
}

const realEnvironment: LoadEnvironment = {
  platform: process.platform,
  arch: process.arch,
  loadKoffi: () => createRequire(import.meta.url)('koffi') as typeof Koffi,
};

let loaded: LibcLoad | undefined;

/** Loads koffi and binds the calls, once a thread. Never throws. */
export function loadLibc(environment?: LoadEnvironment): LibcLoad {
  if (environment !== undefined) return tryLoad(environment);
  return (loaded ??= tryLoad(realEnvironment));
}

/** Whether the native calls work here, and if not, why: one line for a log. Never throws. */
export function nativeSupport(environment?: LoadEnvironment): NativeSupport {
  const load = loadLibc(environment);
  return load.available ? { available: true } : load;
}

function tryLoad({ platform, arch, loadKoffi }: LoadEnvironment): LibcLoad {
  if (platform !== 'linux') return { available: false, reason: `only Linux is supported, this is ${platform}` };
  if (!isSupportedArch(arch)) return { available: false, reason: `only x64 and arm64 are supported, this is ${arch}` };
  try {
    return { available: true, libc: bindLibc(openCLibrary(loadKoffi())) };
  } catch (thrown) {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    return { available: false, reason: `koffi could not be loaded: ${text.split('\n', 1)[0] ?? ''}` };
  }
}

/** The one place that calls koffi. */
function openCLibrary(koffi: typeof Koffi): CLibrary {
  const library = koffi.load(null);
  keepExitFromHanging(library.func('dup2', 'int', ['int', 'int']) as (from: number, to: number) => number);
  const orErrno = (result: number): number => (result === -1 ? -koffi.errno() : result);
  return {
    declare: (name, result, args) => library.func(name, result, args),
    declareAsync(name, result, args) {
      const call = library.func(name, result, args);
      return (...values) =>
        new Promise((resolve, reject) => {
          call.async(...values, (error: unknown, value: number) => {
            if (error instanceof Error) reject(error);
            else resolve(orErrno(value));
          });
        });
    },
    orErrno,
    address: (memory) => koffi.address(memory),
    watchReadable: (fd, callback) =>
      koffi.node.poll(fd, { readable: true }, () => {
        callback();
        // On Node 26 promises that this settled would wait for the next event of any kind: koffi opens no callback scope.
        setImmediate(nothing);
      }),
  };
}

const nothing = (): undefined => undefined;
