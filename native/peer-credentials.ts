import type { Socket } from 'node:net';
import { EngineError } from './errors.js';
import { SO_PEERCRED, SOL_SOCKET } from './linux-abi.js';
import { openSocket } from './socket-fd.js';
import { checked } from './syscall-error.js';

/** Who was at the other end of a unix socket when it connected, as the kernel recorded it. */
export interface PeerCredentials {
  pid: number;
  uid: number;
  gid: number;
}

const INVALID_ID = 0xffffffff;

/**
 * The credentials of a connected unix socket's peer (SO_PEERCRED, unix(7)).
 * @throws EngineError ERR_NATIVE_UNAVAILABLE where this can't be asked, ERR_SOCKET_UNSUPPORTED for TCP and closed sockets
 * @throws SyscallError of getsockopt
 */
export function peerCredentials(socket: Socket): PeerCredentials {
  const { libc, fd } = openSocket(socket, 'asking who connected');
  // struct ucred: pid, uid, gid, 32 bits each.
  const words = new Uint32Array(3);
  const length = new Uint32Array([words.byteLength]);
  checked('getsockopt', libc.getSocketOption(fd, SOL_SOCKET, SO_PEERCRED, words, length), 'asking who connected');
  const [pid = 0, uid = INVALID_ID, gid = INVALID_ID] = words;
  if (pid === 0 && uid === INVALID_ID) {
    throw new EngineError('ERR_SOCKET_UNSUPPORTED', 'only a unix socket knows the credentials of its peer');
  }
  return { pid, uid, gid };
}
