const HEAD_BYTES = 5;

/** Cuts a gRPC body into its length-prefixed messages, however it is cut into chunks. */
export class MessageSplitter {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** The messages that this chunk completes. @throws RangeError for a compressed one: none was allowed */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const messages: Buffer[] = [];
    for (let message = this.#next(); message !== undefined; message = this.#next()) messages.push(message);
    return messages;
  }

  #next(): Buffer | undefined {
    if (this.#bytes < HEAD_BYTES) return undefined;
    if ((this.#chunks[0]?.length ?? 0) < HEAD_BYTES) this.#join();
    const [first = Buffer.alloc(0)] = this.#chunks;
    if (first[0] !== 0) throw new RangeError('a compressed gRPC message, though none was asked for');
    const end = HEAD_BYTES + first.readUInt32BE(1);
    if (this.#bytes < end) return undefined;
    const whole = this.#join();
    this.#chunks = end < whole.length ? [whole.subarray(end)] : [];
    this.#bytes -= end;
    return whole.subarray(HEAD_BYTES, end);
  }

  #join(): Buffer {
    const whole = this.#chunks.length === 1 ? (this.#chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#chunks);
    this.#chunks = [whole];
    return whole;
  }
}
