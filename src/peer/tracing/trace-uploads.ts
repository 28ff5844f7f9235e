import { noTracing, type Tracer } from '../../core/tracing.js';
import type { OnUpload } from '../../upload/index.js';

/** A span for each upload, besides whoever else listens. */
export function traceUploads(tracer: Tracer, next?: OnUpload): OnUpload | undefined {
  if (tracer === noTracing) return next;
  return (spec, progress) => {
    const { protocol, task, range, childIp, childPeerId, traceParent } = spec;
    const attributes = {
      'task.id': task.taskId,
      'child.peer.id': childPeerId,
      'client.address': childIp,
      'network.protocol.name': protocol,
      'upload.offset': range.offset,
      'upload.length': range.length,
    };
    const span = tracer.begin('upload', attributes, traceParent);
    const onEnd = next?.(spec, progress);
    return (outcome) => {
      const { choice, bytesSent, result, error } = outcome;
      span.set({ 'upload.route': choice.route, 'upload.reason': choice.reason });
      span.set({ 'upload.sent': bytesSent, 'upload.result': result });
      span.end(result === 'complete' ? undefined : (error ?? new Error(`the upload ended: ${result}`)));
      onEnd?.(outcome);
    };
  };
}
