import type { handleBidiStreamingCall, MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { DfpeerError } from '../core/errors.js';
import type { GrpcService } from './server.js';
import { toGrpcError } from './status.js';

/**
 * Adds methods of the API that this program does not have: callers get UNIMPLEMENTED with the reason instead of gRPC's bare one.
 * Their requests are not decoded, so one shape does for unary calls and streams.
 */
export function refuseMethods(service: GrpcService, methods: readonly string[], why: string): GrpcService {
  const definition: Record<string, MethodDefinition<Buffer, Buffer>> = {};
  const implementation: Record<string, handleBidiStreamingCall<Buffer, Buffer>> = {};
  for (const method of methods) {
    definition[method] = refusedMethod(`/${service.name}/${method}`);
    implementation[method] = (call) => {
      call.resume();
      call.emit('error', toGrpcError(new DfpeerError('DFP_UNIMPLEMENTED', `${method}: ${why}`)));
    };
  }
  return {
    name: service.name,
    definition: { ...service.definition, ...definition } satisfies ServiceDefinition,
    implementation: { ...service.implementation, ...implementation },
  };
}

function refusedMethod(path: string): MethodDefinition<Buffer, Buffer> {
  const asIs = (bytes: Buffer): Buffer => bytes;
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}
