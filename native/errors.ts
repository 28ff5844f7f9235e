/** Stable codes of everything that goes wrong here without a syscall saying so. */
export type NativeErrorCode =
  | 'ERR_NATIVE_UNAVAILABLE' // not Linux, another CPU, or koffi could not be loaded
  | 'ERR_SOCKET_UNSUPPORTED' // TLS, or a socket without a file descriptor
  | 'ERR_SOCKET_BUSY' // bytes are pending in the socket's own write buffer
  | 'ERR_ENGINE_CLOSED' // start() after close()
  | 'ERR_ENGINE_OVERLOADED' // as many transfers wait for a slot as may
  | 'ERR_ENGINE_WORKER_DIED'; // the worker thread ended under its transfers

/** Base of the errors of this module. `code` is an errno name for a SyscallError, a NativeErrorCode otherwise. */
export class NativeError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An error that this module found by itself. */
export class EngineError extends NativeError {
  constructor(code: NativeErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.name = 'EngineError';
  }
}
