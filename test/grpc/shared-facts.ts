import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Context } from 'mocha';

// dist/test/grpc → beside the project's root
const WIRE_DIRECTORY = fileURLToPath(new URL('../../../../shared/wire/', import.meta.url));

export interface FieldFacts {
  name: string;
  number: number;
  type: string;
  kind?: 'message' | 'enum';
  label: string;
  oneof?: string;
  rules?: Record<string, Record<string, unknown>>;
  only_in?: string;
  differs?: { label?: Record<string, string> };
}

export interface MessageFacts {
  name: string;
  fields: FieldFacts[];
  required_oneofs?: string[];
}

export interface WireFacts {
  enums: { name: string; values: { name: string; number: number }[] }[];
  messages: MessageFacts[];
  services: {
    name: string;
    methods: { name: string; request: string; response: string; client_stream: boolean; server_stream: boolean }[];
  }[];
}

/** The recorded facts; skips the test, and says so, where they are not at hand. */
export function readWireFacts(test: Context): WireFacts {
  return readShared(test, 'v2-messages.json') as WireFacts;
}

/** A JSON file of recorded facts; skips as {@link readWireFacts} does. */
export function readShared(test: Context, file: string): unknown {
  if (!existsSync(WIRE_DIRECTORY + file)) {
    console.warn(`      SKIPPED: ../shared/wire/${file} is not here, so nothing was compared with the recorded facts`);
    return test.skip();
  }
  return JSON.parse(readFileSync(WIRE_DIRECTORY + file, 'utf8'));
}
