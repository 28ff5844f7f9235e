import type { Writable } from 'node:stream';
import { errnoOf } from '../core/errors.js';
import { asOutputError } from '../peer/output/output-file.js';

/** Messages that can't be written, to a pipe that was closed or a full disk, must not end a download or a daemon. */
export function surviveUnwritable(messages: Writable): void {
  messages.on('error', () => undefined);
}

/** Writes to stdout and waits until it is out: the process may end right after. @throws DfpeerError DFP_OUTPUT_IO */
export async function print(text: string): Promise<void> {
  const { stdout } = process;
  surviveUnwritable(stdout); // the callback has the same error
  const written = (): Promise<void> =>
    new Promise((resolve, reject) => stdout.write(text, (error) => (error ? reject(error) : resolve())));
  await untilReaderGoes(written);
}

/** A reader that has had enough is no failure: `dfget URL -O - | head`. @throws DfpeerError DFP_OUTPUT_IO */
export async function untilReaderGoes(write: () => Promise<void>): Promise<void> {
  await asOutputError('stdout', async () => {
    try {
      await write();
    } catch (error) {
      if (errnoOf(error) !== 'EPIPE') throw error;
    }
  });
}
