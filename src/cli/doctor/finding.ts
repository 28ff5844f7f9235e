/** What one check found out about one thing. */
export interface Finding {
  /** Stable, for scripts: "ports", "directories", … */
  check: string;
  status: 'ok' | 'warn' | 'fail';
  /** What is the case, and where that is not good, why. */
  message: string;
  /** What to do about it. */
  remedy?: string;
}

export type Status = Finding['status'];

/** Findings of one check, by what they say. */
export interface Findings {
  ok(message: string): Finding;
  warn(message: string, remedy: string): Finding;
  fail(message: string, remedy: string): Finding;
}

export function findingsOf(check: string): Findings {
  return {
    ok: (message) => ({ check, status: 'ok', message }),
    warn: (message, remedy) => ({ check, status: 'warn', message, remedy }),
    fail: (message, remedy) => ({ check, status: 'fail', message, remedy }),
  };
}
