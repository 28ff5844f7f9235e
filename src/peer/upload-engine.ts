import { nativeSupport, SendFileEngine } from '../../native/index.js';
import type { Logger } from '../core/logger.js';
import type { EngineSupport } from '../upload/index.js';

/** The sendfile engine, or why there is none: said once here, and by every byte's reason in the metrics. */
export function createUploadEngine(options: { workers: number; logger: Logger }): EngineSupport {
  const support = nativeSupport();
  if (support.available)
    return {
      available: true,
      engine: new SendFileEngine({ workers: options.workers }),
    };
  const reason = process.platform === 'linux' ? 'koffi-missing' : 'not-linux';
  options.logger.warn({ reason }, `uploads are copied in userspace: ${support.reason}`);
  return { available: false, reason };
}
