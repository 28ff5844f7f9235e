import type { Dispatcher } from 'undici';
import { abortReason } from '../../../core/deadline.js';
import { codeOf, DfpeerError, messageOf, OriginError, UsageError } from '../../../core/errors.js';
import { redactUrl } from '../../../core/redact.js';
import type { OriginLocation } from '../piece-fetcher.js';
import { describeStatus } from './answer-checks.js';
import { describeConnectionTrouble } from './connection-trouble.js';
import { plainHeaders } from './plain-headers.js';
import { ResponseBody } from './response-body.js';

export interface OriginAnswer {
  status: number;
  /** Lower-case names; what is stored and passed on of them has nothing private. */
  headers: Readonly<Record<string, string>>;
  /** Where it came from, and with which request. */
  location: OriginLocation;
  body: ResponseBody;
}

/** What undici's ProxyAgent says of a CONNECT that has no tunnel. */
const REFUSED_TUNNEL = /^Proxy response \((\d{3})\)/;

/** One request to an origin: turns undici's callbacks into an answer and a body, and an abort into the end of both. */
export class OriginExchange implements Dispatcher.DispatchHandler {
  readonly answer: Promise<OriginAnswer>;
  readonly #location: OriginLocation;
  readonly #signal: AbortSignal;
  /** Whom it is asked through, for people. */
  readonly #proxy: string | undefined;
  readonly #onAbort = (): void => this.fail(abortReason(this.#signal, redactUrl(this.#location.url)));
  #resolve: (answer: OriginAnswer) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #body: ResponseBody | undefined;
  #failure: DfpeerError | Error | undefined;

  constructor(location: OriginLocation, signal: AbortSignal, proxy?: string) {
    this.#location = location;
    this.#signal = signal;
    this.#proxy = proxy;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Ends everything, at whatever stage. The first failure counts. */
  fail(error: unknown): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    if (this.#failure !== undefined) return;
    this.#failure = toOriginError(error, this.#location.url, this.#proxy);
    this.#reject(this.#failure);
    this.#body?.finish(this.#failure);
    this.#controller?.abort(this.#failure);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.abort(this.#failure);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (status < 200) return;
    controller.pause();
    this.#body = new ResponseBody(controller);
    this.#resolve({
      status,
      headers: plainHeaders(Object.entries(headers)),
      location: this.#location,
      body: this.#body,
    });
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#body?.push(chunk);
  }

  onResponseEnd(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#body?.finish();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }
}

function toOriginError(error: unknown, url: string, proxy: string | undefined): DfpeerError {
  if (error instanceof DfpeerError) return error;
  const refused = Number(REFUSED_TUNNEL.exec(messageOf(error))?.[1] ?? Number.NaN);
  if (proxy !== undefined && !Number.isNaN(refused)) {
    const text = `cannot reach ${redactUrl(url)}: the proxy ${proxy} answers ${describeStatus(refused)}`;
    return new OriginError('DFP_ORIGIN_STATUS', text, { status: refused }, { cause: error });
  }
  if (error instanceof Error && codeOf(error) === 'UND_ERR_INVALID_ARG')
    return new UsageError(`cannot ask ${redactUrl(url)}: ${error.message}`, { cause: error }, 'DFP_INVALID_ARGUMENT');
  const what = proxy === undefined ? redactUrl(url) : `${redactUrl(url)} through the proxy ${proxy}`;
  const text = `cannot reach ${what}: ${describeConnectionTrouble(error)}`;
  return new OriginError('DFP_ORIGIN_UNREACHABLE', text, {}, { cause: error });
}
