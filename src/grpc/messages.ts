import type { MessageTypeDefinition } from '@grpc/proto-loader';
import type { ProtoGrpcType as AdminTypes } from '../generated/admin.js';
import type { ProtoGrpcType as DfdaemonTypes } from '../generated/dfdaemon.js';
import type { ProtoGrpcType as ManagerTypes } from '../generated/manager.js';
import type { ProtoGrpcType as PeerTypes } from '../generated/peer.js';
import type { ProtoGrpcType as SchedulerTypes } from '../generated/scheduler.js';

type AnyMessage<Output> = MessageTypeDefinition<never, Output>;

type OutputsOf<Package extends string, Types> = {
  [
    Name in keyof Types & string as Types[Name] extends AnyMessage<unknown> ? `${Package}.${Name}` : never
  ]: Types[Name] extends AnyMessage<infer Output> ? Output : never;
};

/** Every message of the v2 API, and of our own, by its full name, as it is decoded. */
export type Messages = OutputsOf<'common.v2', SchedulerTypes['common']['v2']> &
  OutputsOf<'google.protobuf', SchedulerTypes['google']['protobuf']> &
  OutputsOf<'errordetails.v2', SchedulerTypes['errordetails']['v2']> &
  OutputsOf<'scheduler.v2', SchedulerTypes['scheduler']['v2']> &
  OutputsOf<'dfdaemon.v2', DfdaemonTypes['dfdaemon']['v2']> &
  OutputsOf<'manager.v2', ManagerTypes['manager']['v2']> &
  OutputsOf<'dfpeer.v1', AdminTypes['dfpeer']['v1']> &
  OutputsOf<'dfpeer.v1', PeerTypes['dfpeer']['v1']>;

export type MessageName = keyof Messages;
