import type { Clock } from '../../src/core/clock.js';

export interface TransferSpec {
  from: string;
  to: string;
  bytes: number;
  /** Its part of a crowded line, beside others of weight 1: TCP shares no line evenly. */
  weight: number;
}

interface Transfer extends TransferSpec {
  bytesLeft: number;
  bytesPerSecond: number;
  onDone: () => void;
}

interface Line {
  freeBytesPerSecond: number;
  openWeight: number;
  openCount: number;
}

const ROUNDING = 1e-9;

/** Transfers between hosts, each of which has one line up and one down, all equally fast; no line stands idle that could be used. */
export class SharedLines {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  readonly #transfers = new Set<Transfer>();
  readonly #sentBytes = new Map<string, number>();
  #lastMs: number;
  #cancelNext: () => void = () => undefined;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#lastMs = clock.monotonicMs();
  }

  sentBytes(host: string): number {
    return this.#sentBytes.get(host) ?? 0;
  }

  start(spec: TransferSpec, onDone: () => void): void {
    this.#flow();
    this.#transfers.add({ ...spec, bytesLeft: spec.bytes, bytesPerSecond: 0, onDone });
    this.#share();
  }

  #flow(): void {
    const nowMs = this.#clock.monotonicMs();
    const seconds = (nowMs - this.#lastMs) / 1000;
    this.#lastMs = nowMs;
    for (const transfer of this.#transfers) {
      const bytes = transfer.bytesPerSecond * seconds;
      transfer.bytesLeft -= bytes;
      this.#sentBytes.set(transfer.from, this.sentBytes(transfer.from) + bytes);
    }
  }

  /** Progressive filling: the line with the least for each unit of weight settles its transfers, the others share what is left. */
  #share(): void {
    const open = new Map<Transfer, [up: Line, down: Line]>();
    const lines = new Map<string, Line>();
    const lineOf = (name: string): Line => {
      const line = lines.get(name) ?? { freeBytesPerSecond: this.#bytesPerSecond, openWeight: 0, openCount: 0 };
      lines.set(name, line);
      return line;
    };
    for (const transfer of this.#transfers) {
      const own: [Line, Line] = [lineOf(`${transfer.from} up`), lineOf(`${transfer.to} down`)];
      for (const line of own) {
        line.openWeight += transfer.weight;
        line.openCount++;
      }
      open.set(transfer, own);
    }
    while (open.size > 0) {
      let tightest = Infinity;
      for (const line of lines.values()) if (line.openCount > 0) tightest = Math.min(tightest, shareOf(line));
      for (const [transfer, own] of open) {
        if (!own.some((line) => shareOf(line) <= tightest * (1 + ROUNDING))) continue;
        transfer.bytesPerSecond = tightest * transfer.weight;
        open.delete(transfer);
        for (const line of own) {
          line.freeBytesPerSecond -= transfer.bytesPerSecond;
          line.openWeight -= transfer.weight;
          line.openCount--;
        }
      }
    }
    this.#cancelNext();
    const seconds = [...this.#transfers].map(
      ({ bytesLeft, bytesPerSecond }) => Math.max(bytesLeft, 0) / bytesPerSecond,
    );
    if (seconds.length > 0) this.#cancelNext = this.#clock.after(Math.min(...seconds) * 1000, () => this.#finish());
  }

  #finish(): void {
    this.#flow();
    const done = [...this.#transfers].filter(({ bytesLeft }) => bytesLeft < 1);
    for (const transfer of done) this.#transfers.delete(transfer);
    this.#share();
    for (const { onDone } of done) onDone();
  }
}

function shareOf({ freeBytesPerSecond, openWeight }: Line): number {
  return Math.max(freeBytesPerSecond, 0) / openWeight;
}
