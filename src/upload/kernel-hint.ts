import { NativeError } from '../../native/index.js';

/** What the kernel may take or leave: where it can't be given (no koffi, no plain TCP socket), things stay as they are. */
export function hint(give: () => void): void {
  try {
    give();
  } catch (thrown) {
    if (!(thrown instanceof NativeError)) throw thrown;
  }
}
