import { packageDefinition } from '../../../src/grpc/protos.js';

/** What the descriptors of the API say of a field, as far as generating one needs it. */
export interface FieldDescriptor {
  name: string;
  number: number;
  /** TYPE_STRING, TYPE_UINT64, … */
  type: string;
  /** Of messages and enums; relative to where it is used. */
  typeName: string;
}

interface RawMessage {
  field?: readonly { name?: unknown; number?: unknown; type?: unknown; typeName?: unknown }[];
}

/** One call of the API. */
export interface MethodDescriptor {
  service: string;
  name: string;
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  requestName: string;
}

export function methodsOf(service: string): MethodDescriptor[] {
  const definition = packageDefinition[service];
  if (definition === undefined || 'format' in definition) throw new Error(`${service} is no service`);
  return Object.entries(definition).map(([name, method]) => {
    const { path, requestStream, responseStream, requestType } = method as typeof method & {
      requestType: { type: { name: string } };
    };
    return { service, name, path, requestStream, responseStream, requestName: requestType.type.name };
  });
}

/** The fields of a message by its full or shortened name; undefined for what is none, such as the entry of a map. */
export function fieldsOf(typeName: string): FieldDescriptor[] | undefined {
  const name = typeName.replace(/^\./, '');
  const key = Object.keys(packageDefinition).find((each) => each === name || each.endsWith(`.${name}`));
  const definition = key === undefined ? undefined : packageDefinition[key];
  if (definition === undefined || !('type' in definition)) return undefined;
  const { field = [] } = definition.type as RawMessage;
  return field.map((each) => ({
    name: String(each.name),
    number: Number(each.number),
    type: String(each.type),
    typeName: String(each.typeName),
  }));
}
