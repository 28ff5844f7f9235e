/** The smallest buffer, handed out even beyond the pool's bound so that nobody ever waits for memory. */
export const MIN_COPY_BUFFER_BYTES = 16 * 1024;
export const MAX_COPY_BUFFER_BYTES = 1024 * 1024;
/** Buffers in use and kept for reuse; beyond it new ones are of the smallest size. */
export const DEFAULT_COPY_MEMORY_BYTES = 64 * 1024 * 1024;

/** Reusable buffers in powers of two, so that a copy allocates nothing while it runs. */
export class BufferPool {
  readonly #maxBytes: number;
  readonly #free = new Map<number, Buffer[]>();
  #heldBytes = 0;

  constructor(maxBytes: number = DEFAULT_COPY_MEMORY_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes in use and kept for reuse. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A buffer of at most `wanted` bytes, rounded up to a power of two; a smaller one when memory is tight. */
  acquire(wanted: number): Buffer {
    const size = sizeClass(wanted);
    const reused = this.#free.get(size)?.pop();
    if (reused !== undefined) return reused;
    this.#letGo(this.#heldBytes + size - this.#maxBytes);
    if (size > MIN_COPY_BUFFER_BYTES && this.#heldBytes + size > this.#maxBytes) return this.acquire(size / 2);
    this.#heldBytes += size;
    return Buffer.allocUnsafeSlow(size);
  }

  /** Buffers that nobody uses, the largest first: kept after a fast time, they would leave only the smallest for all others. */
  #letGo(bytes: number): void {
    let left = bytes;
    for (let size = MAX_COPY_BUFFER_BYTES; left > 0 && size >= MIN_COPY_BUFFER_BYTES; size /= 2)
      for (const free = this.#free.get(size); left > 0 && free?.pop() !== undefined; left -= size)
        this.#heldBytes -= size;
  }

  release(buffer: Buffer): void {
    if (this.#heldBytes > this.#maxBytes) {
      this.#heldBytes -= buffer.length;
      return;
    }
    const free = this.#free.get(buffer.length) ?? [];
    free.push(buffer);
    this.#free.set(buffer.length, free);
  }
}

function sizeClass(wanted: number): number {
  let size = MIN_COPY_BUFFER_BYTES;
  while (size < wanted && size < MAX_COPY_BUFFER_BYTES) size *= 2;
  return size;
}
