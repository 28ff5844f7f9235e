import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { ByteCursor } from '../core/byte-cursor.js';
import { WIRE_TYPE } from '../core/protobuf.js';
import { packageDefinition } from './protos.js';

/** Of one request, those of the messages in it included. */
export const MAX_REQUEST_FIELDS = 65_536;
/** Numbers of a packed list that take as long to decode as a field. */
const PACKED_NUMBERS_PER_FIELD = 2;

/** What a field holds that is more than one field; others are left out. */
type Schema = ReadonlyMap<number, 'numbers' | (() => Schema)>;

interface Descriptor {
  name: string;
  field: readonly { number: number; type: string; typeName: string }[];
}

/**
 * The same service, but that requests of more fields than {@link MAX_REQUEST_FIELDS} are refused before they are decoded: four megabytes
 * of empty messages would take seconds, and half a gigabyte.
 */
export function boundRequests(service: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(Object.entries(service).map(([name, method]) => [name, boundRequest(method)]));
}

function boundRequest(method: MethodDefinition<unknown, unknown>): MethodDefinition<unknown, unknown> {
  const descriptor = 'requestType' in method ? descriptorOf(method.requestType) : undefined;
  if (descriptor === undefined) return method;
  const packageName = method.path.slice(1, method.path.lastIndexOf('.'));
  const name = `${packageName}.${descriptor.name}`;
  const requestDeserialize = (bytes: Buffer): unknown => {
    assertFewFields(bytes, name, MAX_REQUEST_FIELDS);
    return method.requestDeserialize(bytes);
  };
  return { ...method, requestDeserialize };
}

/** For what is decoded as one message called `name`. @throws RangeError when it has more than `max` fields, or is malformed */
export function assertFewFields(bytes: Buffer, name: string, max: number): void {
  if (countFields(bytes, schemaOf(name), max) > max) throw new RangeError(`a ${name} of more than ${max} fields`);
}

const schemas = new Map<string, Schema>();

/** Of a message by its full name; entries of maps, and what is not known, count as one field. */
function schemaOf(name: string): Schema {
  const known = schemas.get(name);
  if (known !== undefined) return known;
  const schema = new Map<number, 'numbers' | (() => Schema)>();
  schemas.set(name, schema);
  const packageName = name.slice(0, name.lastIndexOf('.'));
  for (const { number, type, typeName } of descriptorOf(packageDefinition[name])?.field ?? []) {
    const inside = [`${packageName}.${typeName}`, typeName].find((candidate) => candidate in packageDefinition);
    if (type === 'TYPE_MESSAGE' && inside !== undefined) schema.set(number, () => schemaOf(inside));
    else if (type !== 'TYPE_STRING' && type !== 'TYPE_BYTES' && type !== 'TYPE_MESSAGE') schema.set(number, 'numbers');
  }
  return schema;
}

/** Stops soon after `max`. @throws RangeError when the message is malformed */
function countFields(message: Buffer, schema: Schema, max: number): number {
  const cursor = new ByteCursor(message);
  let count = 0;
  while (!cursor.atEnd && count <= max) {
    const tag = cursor.varint();
    const wireType = tag % 8;
    count++;
    if (wireType === WIRE_TYPE.varint) cursor.varint();
    else if (wireType === WIRE_TYPE.fixed64) cursor.take(8);
    else if (wireType === WIRE_TYPE.fixed32) cursor.take(4);
    else if (wireType === WIRE_TYPE.lengthDelimited) {
      const inside = cursor.take(cursor.varint());
      const field = schema.get(Math.floor(tag / 8));
      if (field === 'numbers') count += countNumbers(inside) / PACKED_NUMBERS_PER_FIELD;
      else if (field !== undefined) count += countFields(inside, field(), max - count);
    } else throw new RangeError(`unknown protobuf wire type ${wireType}`);
  }
  return count;
}

function countNumbers(packed: Buffer): number {
  let count = 0;
  for (const byte of packed) if (byte < 0x80) count++;
  return count;
}

function descriptorOf(definition: unknown): Descriptor | undefined {
  const type: unknown = typeof definition === 'object' && definition !== null && 'type' in definition ? definition.type : undefined; // prettier-ignore
  return isDescriptor(type) ? type : undefined;
}

function isDescriptor(type: unknown): type is Descriptor {
  return typeof type === 'object' && type !== null && 'name' in type && 'field' in type && Array.isArray(type.field);
}
