import type { handleUnaryCall } from '@grpc/grpc-js';
import type { MessageName, Messages } from './messages.js';
import { toGrpcError } from './status.js';
import { validateMessage } from './validation.js';

/** A unary handler inside the error boundary: the request is validated, and whatever is thrown becomes a status. */
export function unary<Name extends MessageName, Response>(
  name: Name,
  handle: (request: Messages[Name]) => Response | Promise<Response>,
): handleUnaryCall<Messages[Name], Response> {
  return ({ request }, callback) => {
    const answer = async (): Promise<Response> => {
      validateMessage(name, request);
      return handle(request);
    };
    answer().then(
      (response) => callback(null, response),
      (error: unknown) => callback(toGrpcError(error)),
    );
  };
}
