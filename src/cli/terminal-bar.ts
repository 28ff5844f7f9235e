import { MultiBar } from 'cli-progress';
import type { WriteStream } from 'node:tty';

const OPTIONS = {
  fps: 10,
  hideCursor: true,
  clearOnComplete: true,
  linewrap: false,
  emptyOnZero: true,
} as const;

/** DECAWM: a bar is cut at the edge, text is not. */
const [WRAP_LINES, CUT_LINES] = ['\u001b[?7h', '\u001b[?7l'];

/** A bar at the bottom of a terminal, which is as it was at the bar's end, and while Ctrl-Z has stopped the process. */
export class TerminalBar {
  readonly #stream: WriteStream;
  readonly #render: () => string;
  readonly #suspendProcess: () => void;
  readonly #onSuspend = (): void => this.#suspend();
  #bars: MultiBar | undefined;

  /** `render` is asked several times a second. */
  constructor(stream: WriteStream, render: () => string, suspendProcess = suspendThisProcess) {
    this.#stream = stream;
    this.#render = render;
    this.#suspendProcess = suspendProcess;
    this.#show();
  }

  /** What stays, above the bar. */
  line(text: string): void {
    this.#bars?.log(`${WRAP_LINES}${text}\n${CUT_LINES}`);
    this.#bars?.update();
  }

  /** Idempotent. */
  stop(): void {
    process.off('SIGTSTP', this.#onSuspend);
    this.#bars?.stop();
    this.#bars = undefined;
  }

  #show(): void {
    // One of many, as a single one goes back at its end to where it began, in whatever lines have scrolled there since.
    this.#bars = new MultiBar({ ...OPTIONS, stream: this.#stream, format: this.#render });
    this.#bars.create(1, 0);
    process.on('SIGTSTP', this.#onSuspend);
  }

  #suspend(): void {
    this.stop();
    this.#suspendProcess();
    this.#show();
  }
}

/** As without a listener: the kernel knows whom nobody could continue. Returns when the process goes on. */
function suspendThisProcess(): void {
  process.kill(process.pid, 'SIGTSTP');
}
