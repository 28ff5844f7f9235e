import { parentPort } from 'node:worker_threads';

/** A thread that dies as soon as it is given work. */
parentPort?.on('message', () => {
  throw new Error('told to');
});
