import assert from 'node:assert/strict';
import type { ServiceDefinition } from '@grpc/proto-loader';
import { Priority } from '../../src/generated/common/v2/Priority.js';
import { UsageError } from '../../src/core/errors.js';
import type { MessageName } from '../../src/grpc/messages.js';
import { packageDefinition, Scheduler } from '../../src/grpc/protos.js';
import { MESSAGE_RULES, type FieldRule } from '../../src/grpc/validation-rules.js';
import { validateMessage } from '../../src/grpc/validation.js';
import type { AnnounceHostRequest } from '../../src/generated/scheduler/v2/AnnounceHostRequest.js';
import type { AnnouncePeerRequest } from '../../src/generated/scheduler/v2/AnnouncePeerRequest.js';
import { readDeclarations } from './proto-text.js';
import { readWireFacts, type FieldFacts, type WireFacts } from './shared-facts.js';

/** Requests in which nothing can be wrong: no fields, or only numbers and enums that mean something whatever they are. */
const NOTHING_TO_CHECK = new Set([
  'google.protobuf.Empty',
  'scheduler.v2.ListHostsRequest',
  'dfpeer.v1.ListTransfersRequest',
  'dfpeer.v1.ListPeersRequest',
]);

const HOST = { id: 'h', hostname: 'h', ip: '10.0.0.1', port: 4000, downloadPort: 4000 };

describe('validation of messages', () => {
  it('lets a minimal host pass', () => {
    checkHost({ host: HOST, interval: { seconds: 300 } });
  });

  const refusedHosts: [string, AnnounceHostRequest, string][] = [
    ['a missing host', {}, 'host: must be set'],
    ['an empty id', { host: { ...HOST, id: '' } }, 'host.id: must not be empty'],
    ['an endless id', { host: { ...HOST, id: 'x'.repeat(513) } }, 'host.id: must have at most 512'],
    ['an address that is none', { host: { ...HOST, ip: '10.0.0.256' } }, 'host.ip: must be an IP address'],
    ['an address with a zone', { host: { ...HOST, ip: 'fe80::1%lo' } }, 'host.ip: must be an IP address'],
    ['a privileged port', { host: { ...HOST, port: 1023 } }, 'host.port: must be at least 1024'],
    ['the last port', { host: { ...HOST, port: 65535 } }, 'host.port: must be at most 65534'],
    ['no download port', { host: { ...HOST, downloadPort: 0 } }, 'host.downloadPort: must be at least 1024'],
    ['an unknown host type', { host: { ...HOST, type: 4 } }, 'host.type: must be at most 3'],
    [
      'an impossible load',
      { host: { ...HOST, memory: { usedPercent: 101 } } },
      'host.memory.usedPercent: must be at most',
    ],
    ['a load that is no number', { host: { ...HOST, cpu: { percent: NaN } } }, 'host.cpu.percent: must be at least 0'],
  ];
  for (const [what, request, why] of refusedHosts)
    it(`refuses ${what}, naming the field`, () => {
      assert.throws(() => checkHost(request), refusal(`scheduler.v2.AnnounceHostRequest.${why}`));
    });

  const ids = { hostId: 'h', taskId: 't', peerId: 'p' };
  const piece = { number: 1, digest: 'crc32:1475635037', cost: { nanos: 1 }, createdAt: { seconds: 1 } };
  const refusedPeerMessages: [string, AnnouncePeerRequest, string][] = [
    ['a message without a request', ids, 'request: one of them must be set'],
    ['a registration without a download', { ...ids, registerPeerRequest: {} }, 'download: must be set'],
    ['a relative URL', register({ url: 'example.com/x' }), 'url: must be an absolute URI'],
    ['an unknown digest algorithm', register({ digest: 'md4:00' }), 'digest: must be a digest'],
    ['a digest that is too short', register({ digest: 'sha256:00' }), 'digest: must be a digest'],
    ['a short piece', register({ pieceLength: 4 * 1024 * 1024 - 1 }), 'pieceLength: must be at least 4194304'],
    ['a long piece', register({ pieceLength: 64 * 1024 * 1024 + 1 }), 'pieceLength: must be at most 67108864'],
    ['a host name as remote ip', register({ remoteIp: 'localhost' }), 'remoteIp: must be an IP address'],
    [
      'a range beyond counting',
      register({ range: { length: '18446744073709551615' } }),
      'length: must be a safe integer',
    ],
    ['too many query parameters', register({ filteredQueryParams: Array<string>(129).fill('x') }), 'at most 128 items'],
    [
      'a piece without cost',
      { ...ids, downloadPieceFinishedRequest: { piece: { ...piece, cost: null } } },
      'downloadPieceFinishedRequest.piece.cost: must be set',
    ],
    [
      'a piece without time',
      { ...ids, downloadPieceBackToSourceFinishedRequest: { piece: { ...piece, createdAt: null } } },
      'piece.createdAt: must be set',
    ],
    ['a failed piece of nobody', { ...ids, downloadPieceFailedRequest: {} }, 'parentId: must not be empty'],
    [
      'an origin error without its kind',
      { ...ids, downloadPieceBackToSourceFailedRequest: {} },
      'downloadPieceBackToSourceFailedRequest.response: one of them must be set',
    ],
    [
      'a candidate parent that is only an id',
      { ...ids, reschedulePeerRequest: { candidateParents: [{ id: 'x' }] } },
      'reschedulePeerRequest.candidateParents[0].cost: must be set',
    ],
  ];
  for (const [what, message, why] of refusedPeerMessages)
    it(`refuses ${what}`, () => {
      assert.throws(
        () => checkPeer(message),
        (error) => error instanceof UsageError && error.code === 'DFP_INVALID_ARGUMENT' && error.message.includes(why),
      );
    });

  it('refuses an enum number that the wire does not define', () => {
    const message = decodePeer(register({}));
    const download: { priority: number } | null | undefined = message.registerPeerRequest?.download;
    assert.ok(download);
    download.priority = 7;
    assert.throws(() => validateMessage('scheduler.v2.AnnouncePeerRequest', message), /priority: must be one of/);
    download.priority = Priority.LEVEL6;
    validateMessage('scheduler.v2.AnnouncePeerRequest', message);
  });

  it('lets a field pass that is absent or empty where the wire does', () => {
    checkPeer(register({ digest: '', remoteIp: '', pieceLength: 0 }));
    checkPeer({ ...ids, reschedulePeerRequest: { candidateParents: [] } });
    checkPeer({ ...ids, downloadPieceFinishedRequest: { piece: { ...piece, digest: '' } } });
  });

  it('has the rules of the recorded facts, no more and no fewer', function () {
    const facts = readWireFacts(this);
    const declared = readDeclarations().messages;
    for (const message of facts.messages.filter(({ name }) => declared.has(name))) {
      const name = message.name as MessageName;
      const rules = MESSAGE_RULES[name];
      const requiredOneofs = rules?.oneof === undefined ? [] : [rules.oneof];
      assert.deepEqual(requiredOneofs, message.required_oneofs ?? [], `required oneofs of ${name}`);
      const names = new Set(message.fields.map((field) => toCamelCase(field.name)));
      for (const field of Object.keys(rules?.fields ?? {}))
        assert.ok(names.has(field), `${name} has no field ${field}`);
      for (const field of message.fields) {
        const ours = ruleOf(name, field.name) ?? {};
        assert.deepEqual(wireRuleOf(ours), factsRule(field, facts), `${name}.${field.name}`);
      }
    }
  });

  it('has a rule for the request of every method that we serve', () => {
    const served = ['dfdaemon.v2.DfdaemonDownload', 'dfdaemon.v2.DfdaemonUpload', 'scheduler.v2.Scheduler'];
    for (const service of [...served, 'dfpeer.v1.DfpeerAdmin', 'dfpeer.v1.DfpeerPeer'])
      for (const { path, requestType } of Object.values(packageDefinition[service] as ServiceDefinition)) {
        const packageName = service.slice(0, service.lastIndexOf('.'));
        const name = (requestType.type as { name?: string }).name ?? '';
        const request = name === 'Empty' ? 'google.protobuf.Empty' : `${packageName}.${name}`;
        const hasRules = MESSAGE_RULES[request as MessageName] !== undefined;
        assert.notEqual(hasRules, NOTHING_TO_CHECK.has(request), `${request} of ${path}`);
      }
  });

  it('descends into every message that has rules', () => {
    for (const [name, fields] of readDeclarations().messages)
      for (const field of fields) {
        const nested = field.type as MessageName;
        const rule = ruleOf(name as MessageName, field.name);
        const expected = MESSAGE_RULES[nested] === undefined ? undefined : nested;
        assert.equal(rule?.message, expected, `${name}.${field.name}`);
      }
  });
});

function register(download: NonNullable<AnnouncePeerRequest['registerPeerRequest']>['download']): AnnouncePeerRequest {
  return {
    hostId: 'h',
    taskId: 't',
    peerId: 'p',
    registerPeerRequest: { download: { url: 'http://example.com/x', ...download } },
  };
}

/** Over the wire and back, so that the test sees what a server sees. */
function checkHost(request: AnnounceHostRequest): void {
  const { requestSerialize, requestDeserialize } = Scheduler.service.AnnounceHost;
  validateMessage('scheduler.v2.AnnounceHostRequest', requestDeserialize(requestSerialize(request)));
}

function decodePeer(
  request: AnnouncePeerRequest,
): ReturnType<typeof Scheduler.service.AnnouncePeer.requestDeserialize> {
  const { requestSerialize, requestDeserialize } = Scheduler.service.AnnouncePeer;
  return requestDeserialize(requestSerialize(request));
}

function checkPeer(request: AnnouncePeerRequest): void {
  validateMessage('scheduler.v2.AnnouncePeerRequest', decodePeer(request));
}

function refusal(start: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof UsageError && error.code === 'DFP_INVALID_ARGUMENT' && error.message.startsWith(start);
}

function ruleOf(message: MessageName, field: string): FieldRule | undefined {
  return new Map(Object.entries(MESSAGE_RULES[message]?.fields ?? {})).get(toCamelCase(field));
}

function toCamelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Without what is ours alone. */
function wireRuleOf(rule: FieldRule): FieldRule {
  const ours = new Set(['message', 'cap', 'maxItems', 'safe']);
  return Object.fromEntries(Object.entries(rule).filter(([key]) => !ours.has(key)));
}

function factsRule({ type, rules = {} }: FieldFacts, facts: WireFacts): FieldRule {
  const [kind = '', rule = {}] = Object.entries(rules)[0] ?? [];
  const ignoresEmpty = rule.ignore_empty === true;
  // "At least one, or none" says nothing.
  if (ignoresEmpty && (rule.min_len === '1' || rule.min_items === '1') && rule.max_len === undefined) return {};
  const closed = facts.enums.find(({ name }) => name === type)?.values.map(({ number }) => number);
  return {
    ...(rule.required === true ? { required: true } : {}),
    ...(rule.defined_only === true && closed !== undefined ? { oneOf: closed } : {}),
    ...(rule.min_len === '1' ? { minLength: 1 } : {}),
    ...(rule.max_len === undefined ? {} : { maxLength: Number(rule.max_len) }),
    ...(rule.min_items === undefined ? {} : { minItems: Number(rule.min_items) }),
    ...formatOf(rule),
    ...(rule.gte === undefined ? {} : { min: Number(rule.gte) }),
    ...(rule.lte === undefined ? {} : { max: Number(rule.lte) }),
    ...(rule.lt === undefined ? {} : { max: Number(rule.lt) - 1 }),
    ...(ignoresEmpty && kind !== '' ? { ignoreEmpty: true } : {}),
  };
}

function formatOf(rule: Record<string, unknown>): Pick<FieldRule, 'format'> {
  if (rule.ip === true) return { format: 'ip' };
  if (rule.uri === true) return { format: 'uri' };
  if (rule.hostname === true) return { format: 'hostname' };
  return rule.pattern === undefined ? {} : { format: 'digest' };
}
