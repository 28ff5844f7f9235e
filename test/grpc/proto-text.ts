import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// dist/test/grpc → the project's proto files
const PROTO_DIRECTORY = fileURLToPath(new URL('../../../proto/v2/', import.meta.url));

export interface DeclaredField {
  name: string;
  number: number;
  type: string;
  label: string;
  oneof?: string;
}

export interface Declarations {
  messages: Map<string, DeclaredField[]>;
  enums: Map<string, { name: string; number: number }[]>;
  services: Map<string, { name: string; request: string; response: string; in: boolean; out: boolean }[]>;
}

const SCALARS = new Set(['bool', 'uint32', 'int32', 'int64', 'uint64', 'double', 'string', 'bytes']);
const BLOCK = /\b(message|enum|service)\s+(\w+)\s*\{((?:[^{}]|\{[^{}]*\})*)\}/g;
const ONEOF = /\boneof\s+(\w+)\s*\{([^}]*)\}/g;
const FIELD = /(?:(optional|repeated)\s+)?(map<\s*\w+\s*,\s*\w+\s*>|[\w.]+)\s+(\w+)\s*=\s*(\d+)\s*;/g;
const METHOD = /\brpc\s+(\w+)\s*\(\s*(stream\s+)?([\w.]+)\s*\)\s*returns\s*\(\s*(stream\s+)?([\w.]+)\s*\)/g;

/** Reads what our .proto files declare: of proto3 just what they use. */
export function readDeclarations(): Declarations {
  const declared: Declarations = { messages: new Map(), enums: new Map(), services: new Map() };
  for (const file of readdirSync(PROTO_DIRECTORY)) {
    const text = readFileSync(PROTO_DIRECTORY + file, 'utf8').replace(/\/\/.*$/gm, '');
    const packageName = /\bpackage\s+([\w.]+)\s*;/.exec(text)?.[1] ?? '';
    for (const [, kind, name = '', body = ''] of text.matchAll(BLOCK)) {
      const fullName = `${packageName}.${name}`;
      if (kind === 'message') declared.messages.set(fullName, readFields(body, packageName));
      if (kind === 'enum') declared.enums.set(fullName, readEnum(body));
      if (kind === 'service') declared.services.set(fullName, readMethods(body, packageName));
    }
  }
  return declared;
}

function readFields(body: string, packageName: string): DeclaredField[] {
  const fields: DeclaredField[] = [];
  const read = (text: string, oneof?: string): void => {
    for (const [, prefix, type = '', name = '', number] of text.matchAll(FIELD)) {
      const label = oneof === undefined ? labelOf(prefix, type) : 'oneof';
      const full = resolve(type, packageName);
      fields.push({ name, number: Number(number), type: full, label, ...(oneof === undefined ? {} : { oneof }) });
    }
  };
  read(body.replace(ONEOF, ''));
  for (const [, oneof, members = ''] of body.matchAll(ONEOF)) read(members, oneof);
  return fields;
}

function labelOf(prefix: string | undefined, type: string): string {
  return prefix ?? (type.startsWith('map<') ? 'map' : 'singular');
}

function readEnum(body: string): { name: string; number: number }[] {
  return [...body.matchAll(/(\w+)\s*=\s*(\d+)\s*;/g)].map(([, name = '', number]) => ({
    name,
    number: Number(number),
  }));
}

function readMethods(body: string, packageName: string): NonNullable<ReturnType<Declarations['services']['get']>> {
  return [...body.matchAll(METHOD)].map(([, name = '', streamIn, request = '', streamOut, response = '']) => ({
    name,
    request: resolve(request, packageName),
    response: resolve(response, packageName),
    in: streamIn !== undefined,
    out: streamOut !== undefined,
  }));
}

function resolve(type: string, packageName: string): string {
  if (type.startsWith('map<')) return type.replace(/\s*,\s*/, ', ');
  return SCALARS.has(type) || type.includes('.') ? type : `${packageName}.${type}`;
}
