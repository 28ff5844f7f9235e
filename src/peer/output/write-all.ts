import type { FileHandle } from 'node:fs/promises';

/** Writes all of it: a disk that is nearly full takes a part, and says so only in the count. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
