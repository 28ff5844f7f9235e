import { join } from 'node:path';
import type { Environment } from '../core/environment.js';
import { DfpeerError } from '../core/errors.js';
import { homeDirectory } from '../core/home-directory.js';
import { MAX_SOCKET_PATH_BYTES } from '../core/socket-path.js';

/** Where things live on this machine unless flags or keys say otherwise. All absolute. */
export interface Places {
  /** `system` is root's and the same as Dragonfly's, `user` follows XDG, `home` is everything below $DFPEER_HOME. */
  kind: 'system' | 'user' | 'home';
  /** Used when it exists. */
  configFile: string;
  /** Used when it exists. */
  dynconfigFile: string;
  socketPath: string;
  dataDir: string;
  logDir: string;
}

/** Where a system daemon listens; also worth a try for a user who runs none. */
export const SYSTEM_SOCKET_PATH = '/var/run/dragonfly/dfdaemon.sock';

/** Of the store, within where tasks are kept: what Dragonfly's client keeps there stays its own. */
export function storeDirectoryIn(dataDir: string): string {
  return join(dataDir, 'dfpeer');
}

export interface PlacesInputs {
  env: Environment;
  uid: number;
  home: string;
}

/**
 * $DFPEER_HOME, then $DFPEER_PLACES (`system` for a service that is not root's), then whose process it is.
 * @throws DfpeerError (DFP_CONFIG) when $DFPEER_HOME is not absolute, or $DFPEER_PLACES neither `system` nor `user`
 */
export function findPlaces(
  inputs: PlacesInputs = { env: process.env, uid: process.getuid?.() ?? 0, home: homeDirectory() },
): Places {
  const { env, uid, home } = inputs;
  const root = env.DFPEER_HOME;
  if (root !== undefined && root !== '') {
    if (!root.startsWith('/'))
      throw new DfpeerError('DFP_CONFIG', `DFPEER_HOME must be an absolute path, not ${JSON.stringify(root)}`);
    return below(root);
  }
  const wanted = env.DFPEER_PLACES ?? '';
  if (wanted !== '' && wanted !== 'system' && wanted !== 'user')
    throw new DfpeerError('DFP_CONFIG', `DFPEER_PLACES must be system or user, not ${JSON.stringify(wanted)}`);
  const isSystem = wanted === '' ? uid === 0 : wanted === 'system';
  return isSystem ? SYSTEM_PLACES : userPlaces(env, home);
}

/** Root's, and the same as Dragonfly's. */
export const SYSTEM_PLACES: Places = {
  kind: 'system',
  configFile: '/etc/dragonfly/dfdaemon.yaml',
  dynconfigFile: '/etc/dragonfly/dynconfig.yaml',
  socketPath: SYSTEM_SOCKET_PATH,
  dataDir: '/var/lib/dragonfly',
  logDir: '/var/log/dragonfly/dfdaemon',
};

function below(root: string): Places {
  return {
    kind: 'home',
    configFile: join(root, 'dfdaemon.yaml'),
    dynconfigFile: join(root, 'dynconfig.yaml'),
    socketPath: join(root, 'dfdaemon.sock'),
    dataDir: join(root, 'data'),
    logDir: join(root, 'log'),
  };
}

function userPlaces(env: Environment, home: string): Places {
  // The XDG specification has relative values ignored.
  const base = (name: string, otherwise: string): string => {
    const value = env[name];
    return join(value?.startsWith('/') === true ? value : join(home, otherwise), 'dfpeer');
  };
  const config = base('XDG_CONFIG_HOME', '.config');
  return {
    kind: 'user',
    configFile: join(config, 'dfdaemon.yaml'),
    dynconfigFile: join(config, 'dynconfig.yaml'),
    socketPath: join(base('XDG_RUNTIME_DIR', '.cache'), 'dfdaemon.sock'),
    dataDir: base('XDG_DATA_HOME', '.local/share'),
    logDir: join(base('XDG_STATE_HOME', '.local/state'), 'log'),
  };
}

/**
 * @param setBy the flag, key or variable that the path came from
 * @throws DfpeerError (DFP_CONFIG) for a path that the kernel would not take
 */
export function checkSocketPath(path: string, setBy: string): string {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return path;
  throw new DfpeerError(
    'DFP_CONFIG',
    `${setBy}: a unix socket's path takes at most ${MAX_SOCKET_PATH_BYTES} bytes, but ${path} has ${bytes}; choose a shorter one`,
  );
}
