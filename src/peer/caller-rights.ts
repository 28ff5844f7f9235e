import type { Socket } from 'node:net';
import { peerCredentials } from '../../native/index.js';
import { DfpeerError } from '../core/errors.js';
import type { Caller } from '../grpc/caller.js';

/** Who connected to a unix socket; undefined where the system can't be asked. */
export function identifyCaller(socket: Socket): Caller | undefined {
  try {
    const { uid, gid } = peerCredentials(socket);
    return { uid, gid };
  } catch {
    return undefined;
  }
}

/** What those may ask for whom the socket's mode lets in. */
export class CallerRights {
  readonly #daemonUid: number;
  readonly #mode: number;

  /** `mode` of the socket; whoever has `daemonUid` is at home here, and so is root. */
  constructor({ daemonUid, mode }: { daemonUid: number; mode: number }) {
    this.#daemonUid = daemonUid;
    this.#mode = mode;
  }

  /**
   * Output files are written with the daemon's rights, so only its own user and root may name them: for anybody else it would write
   * where they can't. Nothing is asked of the path, so there is no race to win.
   * @param caller undefined: the system does not tell, and only a socket that nobody else can connect to answers for it
   * @throws DfpeerError DFP_OUTPUT_FORBIDDEN
   */
  assertMayWrite(caller: Caller | undefined): void {
    if (this.#isAtHome(caller, 0o077)) return;
    throw new DfpeerError(
      'DFP_OUTPUT_FORBIDDEN',
      `this daemon writes output files for its own user and root only, not for ${describe(caller)}; use --transfer-from-dfdaemon`,
    );
  }

  /**
   * Deleting, and changing limits: whom the mode lets in by name or group may, but "everybody" may not.
   * @throws DfpeerError DFP_BLOCKED
   */
  assertMayAdministrate(caller: Caller | undefined): void {
    if ((this.#mode & 0o007) === 0 || this.#isAtHome(caller, 0o007)) return;
    throw new DfpeerError(
      'DFP_BLOCKED',
      `with download.server.socketMode 0666 only root and the user of the daemon may administrate it, not ${describe(caller)}`,
    );
  }

  #isAtHome(caller: Caller | undefined, strangers: number): boolean {
    if (caller === undefined) return (this.#mode & strangers) === 0;
    return caller.uid === 0 || caller.uid === this.#daemonUid;
  }
}

function describe(caller: Caller | undefined): string {
  return caller === undefined ? 'a user that the system does not name' : `user ${caller.uid}`;
}
