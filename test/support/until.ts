const INTERVAL_MS = 20;
const DEFAULT_TIMEOUT_MS = 30_000;

/** Asks until the answer is yes; for states of other processes that send no event. */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}
