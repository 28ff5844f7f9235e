import assert from 'node:assert/strict';
import { CallerRights } from '../../src/peer/caller-rights.js';

const [ROOT, DAEMON, OTHER] = [0, 1000, 1001].map((uid) => ({ uid, gid: uid }));
const NOT_NAMED = undefined;

/** Who may, by the mode of the socket. */
function allowed(mode: number, assertMay: (rights: CallerRights, caller: typeof ROOT) => void): boolean[] {
  const rights = new CallerRights({ daemonUid: 1000, mode });
  return [ROOT, DAEMON, OTHER, NOT_NAMED].map((caller) => {
    try {
      assertMay(rights, caller);
      return true;
    } catch {
      return false;
    }
  });
}

describe('what callers of the unix socket may', () => {
  it('is to write as root and as the user of the daemon; whoever has no name, only where nobody else gets in', () => {
    const mayWrite = (mode: number): boolean[] => allowed(mode, (rights, caller) => rights.assertMayWrite(caller));
    assert.deepEqual(mayWrite(0o600), [true, true, false, true]);
    assert.deepEqual(mayWrite(0o660), [true, true, false, false]);
    assert.deepEqual(mayWrite(0o666), [true, true, false, false]);
  });

  it('is to administrate for all who get in, unless that is everybody', () => {
    const may = (mode: number): boolean[] => allowed(mode, (rights, caller) => rights.assertMayAdministrate(caller));
    assert.deepEqual(may(0o600), [true, true, true, true]);
    assert.deepEqual(may(0o660), [true, true, true, true]);
    assert.deepEqual(may(0o666), [true, true, false, false]);
  });
});
