import type { MessageTypeDefinition } from '@grpc/proto-loader';
import type { ProtoGrpcType as DfdaemonTypes } from '../generated/dfdaemon.js';
import type { ProtoGrpcType as ManagerTypes } from '../generated/manager.js';
import type { ProtoGrpcType as SchedulerTypes } from '../generated/scheduler.js';

type AnyMessage<Output> = MessageTypeDefinition<never, Output>;

type OutputsOf<Package extends string, Types> = {
  [
    Name in keyof Types & string as Types[Name] extends AnyMessage<unknown> ? `${Package}.v2.${Name}` : never
  ]: Types[Name] extends AnyMessage<infer Output> ? Output : never;
};

/** Every message of the v2 API by its full name, as it is decoded. */
export type Messages = OutputsOf<'common', SchedulerTypes['common']['v2']> &
  OutputsOf<'errordetails', SchedulerTypes['errordetails']['v2']> &
  OutputsOf<'scheduler', SchedulerTypes['scheduler']['v2']> &
  OutputsOf<'dfdaemon', DfdaemonTypes['dfdaemon']['v2']> &
  OutputsOf<'manager', ManagerTypes['manager']['v2']>;

export type MessageName = keyof Messages;
