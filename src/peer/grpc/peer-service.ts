import { sleep } from '../../core/deadline.js';
import type { Logger } from '../../core/logger.js';
import { PieceSet } from '../../core/piece-set.js';
import { parseTaskId } from '../../core/task-id.js';
import type { DfpeerPeerHandlers } from '../../generated/dfpeer/v1/DfpeerPeer.js';
import { clientStream } from '../../grpc/handlers.js';
import { peerIp } from '../../grpc/peer-ip.js';
import { DfpeerPeer } from '../../grpc/protos.js';
import type { GrpcService } from '../../grpc/server.js';
import type { OfferPacing } from '../swarm/offer-pacing.js';

/** Between two messages of one child that are heeded; it waits meanwhile. */
export const MIN_TELLING_INTERVAL_MS = 5;

/** dfpeer.v1.DfpeerPeer, for children of our own. */
export function makePeerService({ pacing, logger }: { pacing: OfferPacing; logger: Logger }): GrpcService {
  const implementation: DfpeerPeerHandlers = {
    TellPieces: clientStream('dfpeer.v1.PiecesHeld', logger, async (messages, peer, signal) => {
      // A host may speak for itself only.
      const ip = peerIp(peer);
      for await (const message of messages) {
        const [held, here] = [PieceSet.from(message.pieces), PieceSet.from(message.here)];
        const { hostId, parentHostIds } = message;
        const who = { taskId: parseTaskId(message.taskId), hostId, ip };
        if (held !== undefined && here !== undefined) pacing.learn(who, { held, here, parentHostIds });
        await sleep(MIN_TELLING_INTERVAL_MS, signal);
      }
      return {};
    }),
  };
  return { name: 'dfpeer.v1.DfpeerPeer', definition: DfpeerPeer.service, implementation };
}
