import { parentPort, workerData } from 'node:worker_threads';
import { FetchEngine } from './fetch-engine.js';
import type { ThreadOptions, ThreadOrder } from './messages.js';

/** Entry point of a fetch thread. */
if (parentPort !== null) {
  const port = parentPort;
  const engine = new FetchEngine(workerData as ThreadOptions, (report) => port.postMessage(report));
  port.on('message', (order: ThreadOrder) => engine.handle(order));
}
