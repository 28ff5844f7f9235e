import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { DfpeerError } from '../../core/errors.js';
import { type ByteRange, formatPieceDigest } from '../../core/piece.js';
import { runningCrc32 } from '../../core/running-crc32.js';
import { diskError } from '../disk-error.js';

/** Takes the bytes of a range in order. */
export interface PieceSink {
  readonly written: number;
  readonly remaining: number;
  /** `crc32:<decimal>` of what was written so far. */
  readonly digest: string;
  write(bytes: Uint8Array): void;
  close(): void;
}

/** Sums bytes up and keeps none. */
export class PieceSum implements PieceSink {
  readonly #length: number;
  #crc = 0;
  written = 0;

  constructor(length: number) {
    this.#length = length;
  }

  get remaining(): number {
    return this.#length - this.written;
  }

  get digest(): string {
    return formatPieceDigest(this.#crc);
  }

  write(bytes: Uint8Array): void {
    this.#crc = runningCrc32(bytes, this.#crc);
    this.written += bytes.length;
  }

  close(): void {
    // Nothing is open.
  }
}

/**
 * Writes the bytes of a range in order, and sums them up. Every write is finished when `write` returns, so a
 * closed writer has nothing under way: blocking is fine, this runs in a thread of its own.
 */
export class PieceWriter implements PieceSink {
  readonly #fd: number;
  readonly #path: string;
  readonly #range: ByteRange;
  #crc = 0;
  #written = 0;
  #closed = false;

  /** Opens an existing file, never through a symbolic link. @throws DfpeerError DFP_STORE_IO, DFP_STORE_FULL */
  constructor(path: string, range: ByteRange) {
    this.#path = path;
    this.#range = range;
    try {
      this.#fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    } catch (error) {
      throw diskError(`write ${path}`, error);
    }
  }

  get written(): number {
    return this.#written;
  }

  get remaining(): number {
    return this.#range.length - this.#written;
  }

  /** CRC-32 of what was written so far. */
  get sum(): number {
    return this.#crc;
  }

  /** `crc32:<decimal>` of the same. */
  get digest(): string {
    return formatPieceDigest(this.#crc);
  }

  /** @throws DfpeerError DFP_STORE_IO, DFP_STORE_FULL; DFP_INTERNAL for bytes beyond the range */
  write(bytes: Uint8Array): void {
    if (bytes.length > this.remaining)
      throw new DfpeerError('DFP_INTERNAL', `${bytes.length} bytes for a range that has ${this.remaining} left`);
    this.#crc = runningCrc32(bytes, this.#crc);
    let done = 0;
    while (done < bytes.length) {
      const position = this.#range.offset + this.#written + done;
      try {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, position);
      } catch (error) {
        throw diskError(`write ${this.#path}`, error);
      }
    }
    this.#written += bytes.length;
  }

  /** Idempotent. @throws DfpeerError DFP_STORE_IO, DFP_STORE_FULL: some file systems report a lost write only now */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      closeSync(this.#fd);
    } catch (error) {
      throw diskError(`write ${this.#path}`, error);
    }
  }
}
