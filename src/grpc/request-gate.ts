import { Metadata, ServerInterceptingCall, status, type ServerInterceptor } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../core/clock.js';

/** Lets at most `perSecond` requests a second pass, with a burst of as many. */
export class RequestGate {
  readonly #perSecond: number;
  readonly #clock: Clock;
  #tokens: number;
  #refilledAtMs: number;

  constructor(perSecond: number, clock: Clock = systemClock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#tokens = perSecond;
    this.#refilledAtMs = clock.monotonicMs();
  }

  tryPass(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#refilledAtMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + earned);
    this.#refilledAtMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** Answers RESOURCE_EXHAUSTED to new unary calls and new streams beyond the gate's rate. */
export function refuseBeyond(gate: RequestGate, onRefused: () => void = () => undefined): ServerInterceptor {
  return (_method, call) => {
    if (gate.tryPass()) return new ServerInterceptingCall(call);
    onRefused();
    return new ServerInterceptingCall(call, {
      start: () =>
        call.sendStatus({
          code: status.RESOURCE_EXHAUSTED,
          details: 'too many requests a second; retry later',
          metadata: new Metadata(),
        }),
    });
  };
}
