import { workerData } from 'node:worker_threads';
import { EngineError } from './errors.js';
import { loadLibc } from './load-libc.js';
import { SendLoop } from './send-loop.js';
import type { LoopDescriptors, LoopOptions } from './send-loop.js';
import { SlotTable } from './slot-table.js';

/** What the main thread hands to a worker. */
export interface WorkerInput {
  memory: SharedArrayBuffer;
  capacity: number;
  descriptors: LoopDescriptors;
  options: LoopOptions;
}

const input = workerData as WorkerInput;
const load = loadLibc();
if (!load.available) throw new EngineError('ERR_NATIVE_UNAVAILABLE', load.reason);
new SendLoop(load.libc, new SlotTable(input.capacity, input.memory), input.descriptors, input.options).run();
