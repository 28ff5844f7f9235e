import { open, rm, type FileHandle } from 'node:fs/promises';
import { DfpeerError } from '../core/errors.js';
import type { TaskDigest } from '../core/task-digest.js';
import { digestFile, expectDigest } from '../peer/output/content-digest.js';
import { asOutputError } from '../peer/output/output-file.js';
import { writeAll } from '../peer/output/write-all.js';
import { publishName, temporaryNameFor } from '../peer/output/temporary-name.js';
import type { ContentSink } from './download-client.js';
import { removeAtExit } from './remove-at-exit.js';

/** A file whose bytes come through the socket: under a name of its own until they are all there. */
export class TransferredFile implements ContentSink {
  readonly #path: string;
  readonly #name: string;
  readonly #forget: () => void;
  #file: FileHandle | undefined;
  #writtenBytes = 0;

  private constructor(path: string, name: string, file: FileHandle) {
    this.#path = path;
    this.#name = name;
    this.#forget = removeAtExit(name);
    this.#file = file;
  }

  /** @throws DfpeerError DFP_OUTPUT_IO */
  static async open(path: string): Promise<TransferredFile> {
    const name = temporaryNameFor(path);
    return new TransferredFile(path, name, await asOutputError(path, () => open(name, 'wx')));
  }

  async write(content: Uint8Array, offset: number): Promise<void> {
    await this.#withFile((file) => writeAll(file, content, offset));
    this.#writtenBytes += content.length;
  }

  async startOver(): Promise<void> {
    await this.#withFile((file) => file.truncate(0));
    this.#writtenBytes = 0;
  }

  /**
   * Complete and right, or not at all. @throws UsageError DFP_OUTPUT_EXISTS when a file appeared meanwhile; DfpeerError DFP_TASK_FAILED,
   * DFP_DIGEST_MISMATCH, DFP_OUTPUT_IO
   */
  async publish({
    outputBytes,
    digest,
    overwrite,
  }: {
    outputBytes: number;
    digest: TaskDigest | undefined;
    overwrite: boolean;
  }): Promise<void> {
    const length = (await this.#withFile((file) => file.stat()))?.size;
    if (length !== outputBytes || this.#writtenBytes !== outputBytes)
      throw new DfpeerError(
        'DFP_TASK_FAILED',
        `the daemon sent ${this.#writtenBytes} bytes of ${this.#path}, which has ${outputBytes}; see its log`,
      );
    await asOutputError(this.#path, async () => {
      // Some file systems (NFS) say only now that not all of it could be written.
      await this.#close();
      if (digest !== undefined) {
        const found = await digestFile(this.#name, digest.algorithm, { offset: 0, length });
        expectDigest(found, digest, this.#path);
      }
      await publishName(this.#name, this.#path, overwrite);
    });
  }

  /** Idempotent; what was published stays. */
  async discard(): Promise<void> {
    await this.#close();
    await rm(this.#name, { force: true });
    this.#forget();
  }

  /** Not once it is closed: the end of an interrupted download may come before its last piece. */
  async #withFile<T>(work: (file: FileHandle) => Promise<T>): Promise<T | undefined> {
    const file = this.#file;
    return file && asOutputError(this.#path, () => work(file));
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}
