import assert from 'node:assert/strict';
import { checkSocketPath, findPlaces, SYSTEM_SOCKET_PATH } from '../../src/config/places.js';
import { MAX_SOCKET_PATH_BYTES } from '../../src/core/socket-path.js';

describe('where things live', () => {
  it("is where Dragonfly's are, for root", () => {
    assert.deepEqual(findPlaces({ env: { XDG_DATA_HOME: '/x' }, uid: 0, home: '/root' }), {
      kind: 'system',
      configFile: '/etc/dragonfly/dfdaemon.yaml',
      dynconfigFile: '/etc/dragonfly/dynconfig.yaml',
      socketPath: SYSTEM_SOCKET_PATH,
      dataDir: '/var/lib/dragonfly',
      logDir: '/var/log/dragonfly/dfdaemon',
    });
  });

  it('is below the home directory for other users', () => {
    assert.deepEqual(findPlaces({ env: {}, uid: 1000, home: '/home/ann' }), {
      kind: 'user',
      configFile: '/home/ann/.config/dfpeer/dfdaemon.yaml',
      dynconfigFile: '/home/ann/.config/dfpeer/dynconfig.yaml',
      socketPath: '/home/ann/.cache/dfpeer/dfdaemon.sock',
      dataDir: '/home/ann/.local/share/dfpeer',
      logDir: '/home/ann/.local/state/dfpeer/log',
    });
  });

  it('follows XDG variables, except relative ones', () => {
    const env = { XDG_RUNTIME_DIR: '/run/user/1000', XDG_STATE_HOME: 'state', XDG_DATA_HOME: '/data' };
    const places = findPlaces({ env, uid: 1000, home: '/home/ann' });
    assert.equal(places.socketPath, '/run/user/1000/dfpeer/dfdaemon.sock');
    assert.equal(places.dataDir, '/data/dfpeer');
    assert.equal(places.logDir, '/home/ann/.local/state/dfpeer/log');
  });

  it('is one directory with DFPEER_HOME, for root too', () => {
    const places = findPlaces({ env: { DFPEER_HOME: '/srv/dfp' }, uid: 0, home: '/root' });
    const { kind, ...paths } = places;
    assert.equal(kind, 'home');
    for (const path of Object.values(paths)) assert.ok(path.startsWith('/srv/dfp/'), path);
    assert.equal(new Set(Object.values(paths)).size, Object.values(paths).length);
  });

  it('is what DFPEER_PLACES says, whoever runs it: a service need not be root’s', () => {
    const root = { uid: 0, home: '/root' };
    const ann = { uid: 1000, home: '/home/ann' };
    assert.deepEqual(findPlaces({ env: { DFPEER_PLACES: 'system' }, ...ann }), findPlaces({ env: {}, ...root }));
    assert.deepEqual(findPlaces({ env: { DFPEER_PLACES: 'user' }, ...root }).kind, 'user');
    assert.deepEqual(findPlaces({ env: { DFPEER_PLACES: '' }, ...ann }).kind, 'user');
    assert.throws(() => findPlaces({ env: { DFPEER_PLACES: 'System' }, ...ann }), {
      code: 'DFP_CONFIG',
      message: 'DFPEER_PLACES must be system or user, not "System"',
    });
  });

  it('refuses a relative DFPEER_HOME', () => {
    assert.throws(() => findPlaces({ env: { DFPEER_HOME: 'here' }, uid: 0, home: '/' }), {
      code: 'DFP_CONFIG',
      message: /DFPEER_HOME must be an absolute path/,
    });
  });

  it('refuses socket paths that the kernel would not take, counting bytes', () => {
    const longest = `/${'a'.repeat(MAX_SOCKET_PATH_BYTES - 1)}`;
    assert.equal(checkSocketPath(longest, 'x'), longest);
    assert.throws(() => checkSocketPath(`${longest}b`, 'download.server.socketPath'), {
      code: 'DFP_CONFIG',
      message: /^download\.server\.socketPath: .* 107 bytes, but .* has 108/,
    });
    assert.throws(() => checkSocketPath(`/${'é'.repeat(54)}`, 'x'), /has 109/);
  });
});
