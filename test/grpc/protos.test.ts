import assert from 'node:assert/strict';
import { packageDefinition } from '../../src/grpc/protos.js';
import { readDeclarations } from './proto-text.js';
import { readWireFacts } from './shared-facts.js';

/** Facts leave out what we declare beyond them; each entry says why. */
const DIFFERENCES = {
  // Go's label; the Rust client, which reads it, has it optional.
  'common.v2.Peer.concurrent_piece_count': 'optional',
} as const;

describe('our .proto files', () => {
  const declared = readDeclarations();

  it('are what the loader serves', () => {
    const names = [...declared.messages.keys(), ...declared.enums.keys(), ...declared.services.keys()];
    assert.ok(names.length > 60, `only ${names.length} declarations found`);
    assert.deepEqual(
      names.filter((name) => packageDefinition[name] === undefined),
      [],
    );
  });

  it('declare every message as the recorded facts do: names, numbers, types, labels, oneofs', function () {
    const facts = readWireFacts(this);
    const known = new Map(facts.messages.map((message) => [message.name, message]));
    for (const [name, fields] of declared.messages) {
      const message = known.get(name);
      assert.ok(message, `${name} is not a message of the v2 API`);
      const expected = message.fields.map(({ name: field, number, type, label, oneof }) => ({
        name: field,
        number,
        type,
        label: Object.entries(DIFFERENCES).find(([path]) => path === `${name}.${field}`)?.[1] ?? label,
        ...(oneof === undefined ? {} : { oneof }),
      }));
      assert.deepEqual(byNumber(fields), byNumber(expected), name);
    }
  });

  it('declare every enum as the recorded facts do', function () {
    const facts = readWireFacts(this);
    const known = new Map(facts.enums.map((declaration) => [declaration.name, declaration.values]));
    for (const [name, values] of declared.enums)
      assert.deepEqual(byNumber(values), byNumber(known.get(name) ?? []), name);
  });

  it('declare every method as the recorded facts do: messages and streaming', function () {
    const facts = readWireFacts(this);
    const known = new Map<string, object>();
    for (const { name: service, methods } of facts.services)
      for (const { name, request, response, client_stream, server_stream } of methods)
        known.set(`${service}/${name}`, { name, request, response, client_stream, server_stream });
    for (const [service, methods] of declared.services)
      for (const { name, request, response, in: client_stream, out: server_stream } of methods)
        assert.deepEqual(
          { name, request, response, client_stream, server_stream },
          known.get(`${service}/${name}`),
          `${service}/${name}`,
        );
  });
});

function byNumber<T extends { number: number }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => a.number - b.number);
}
