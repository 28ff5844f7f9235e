import { parentPort } from 'node:worker_threads';

/** A thread that takes work and is never heard of again. */
parentPort?.on('message', () => {
  for (;;);
});
