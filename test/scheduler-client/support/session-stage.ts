import { type Clock, systemClock } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { TrafficType, type StoredPiece } from '../../../src/core/piece.js';
import type { Peer } from '../../../src/generated/common/v2/Peer.js';
import { loadChannelCredentials } from '../../../src/grpc/credentials.js';
import { AnnouncePeerSession } from '../../../src/scheduler-client/peer-session.js';
import type { PeerRegistration } from '../../../src/scheduler-client/scheduler-client.js';
import { SchedulerConnection } from '../../../src/scheduler-client/scheduler-connection.js';
import { host, registration } from './fixtures.js';
import { ScriptedScheduler, type Script } from './scripted-scheduler.js';

/** A session with a scheduler that plays a script, and what came of it beside its messages. */
export interface SessionStage {
  readonly scheduler: ScriptedScheduler;
  readonly session: AnnouncePeerSession;
  /** Hosts that were announced again. */
  readonly announcedAgain: string[];
  /** Peers that were taken back by DeletePeer. */
  readonly forgotten: string[];
  /** One entry for each end: whether it was a success. */
  readonly endings: boolean[];
}

/** Opens sessions, and closes them after each test of the suite that calls this. */
export function useSessions(): (
  script: Script,
  options?: {
    clock?: Clock;
    scheduleTimeoutMs?: number;
    registration?: Partial<PeerRegistration>;
    ips?: { own: string; scheduler: string };
  },
) => Promise<SessionStage> {
  const closers: (() => void)[] = [];
  afterEach(() => closers.splice(0).forEach((close) => close()));
  return async (script, options = {}) => {
    const { clock = systemClock, scheduleTimeoutMs = 5000, registration: changes, ips } = options;
    const [announcedAgain, forgotten, endings]: [string[], string[], boolean[]] = [[], [], []];
    const scheduler = await ScriptedScheduler.start(script);
    const where = { ip: '127.0.0.1', port: scheduler.port };
    const connection = new SchedulerConnection(where, await loadChannelCredentials(undefined));
    closers.push(
      () => connection.close(),
      () => scheduler.kill(),
    );
    const session = new AnnouncePeerSession({
      host: { id: host.id, ip: ips?.own ?? host.ip },
      registration: registration(changes),
      scheduler: {
        address: scheduler.address,
        ip: ips?.scheduler ?? where.ip,
        announcePeer: () => connection.announcePeer(),
        expectLife: () => ({ patienceMs: 0, seen: Promise.resolve() }),
        announceHostAgain: async () => {
          announcedAgain.push(host.id);
          scheduler.knowsHosts = true;
        },
        forgetPeer: async (peerId) => void forgotten.push(peerId),
      },
      onEnded: ({ succeeded }) => endings.push(succeeded),
      scheduleTimeoutMs,
      clock,
      logger: silentLogger,
    });
    return { scheduler, session, announcedAgain, forgotten, endings };
  };
}

/** A piece from a parent. */
export const PIECE: StoredPiece = {
  number: 0,
  offset: 0,
  length: 4,
  digest: 'crc32:1',
  parentId: 'parent',
  trafficType: TrafficType.REMOTE_PEER,
  costMs: 1.5,
  createdAtMs: 1_700_000_000_000,
};

/** A parent as a scheduler offers it. */
export function candidate(id: string, changes: { ip?: string; port?: number; hostId?: string } = {}): Peer {
  const { ip = '10.0.0.1', port = 4000, hostId = `host-of-${id}` } = changes;
  const time = { seconds: 1, nanos: 0 };
  return {
    id,
    state: 'Succeeded',
    cost: time,
    createdAt: time,
    updatedAt: time,
    task: { id: 't', createdAt: time, updatedAt: time },
    host: { id: hostId, hostname: 'h', ip, port, downloadPort: port, type: 1, network: { maxTxBandwidth: 5 } },
  };
}

/** An answer that offers these parents. */
export function normal(...peers: Peer[]): { normalTaskResponse: { candidateParents: Peer[] } } {
  return { normalTaskResponse: { candidateParents: peers } };
}

/** Plays the first answer, one parent, and says no more. */
export const offerOneParent: Script = async (conversation) => {
  await conversation.next();
  conversation.answer(normal(candidate('parent')));
};
