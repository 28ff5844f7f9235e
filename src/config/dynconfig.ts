import { isIP } from 'node:net';
import { z } from 'zod';
import { parseHostPort, type HostPort } from '../core/host-port.js';
import { ConfigError } from './config-error.js';
import { checkDocument } from './check-document.js';
import { parseYaml } from './yaml-document.js';

const hostPort = z.string().transform((text, context) => {
  try {
    return parseHostPort(text, 'it');
  } catch {
    context.addIssue('not host:port');
    return z.NEVER;
  }
});

const DYNCONFIG = z.object({
  scheduler: z
    .object({
      addrs: z.array(hostPort.refine(({ host }) => isIP(host) !== 0)).default([]),
      addr: z.preprocess((value) => (value === '' ? undefined : value), hostPort.optional()),
    })
    .prefault({}),
});

const EXPECTATIONS: Readonly<Record<string, string>> = {
  'scheduler.addrs': 'a list of ip:port (IP addresses only; a name goes into scheduler.addr)',
  'scheduler.addr': 'host:port or [IPv6 address]:port',
};

/**
 * The schedulers that a dynconfig file names (docs/WIRE.md 6.3): `scheduler.addrs`, IP addresses only, and
 * `scheduler.addr`, which may be a name.
 * @throws ConfigError naming file, line, column and key
 */
export function parseDynconfig(text: string, file: string): HostPort[] {
  const document = parseYaml(text, file);
  const expects = (path: readonly PropertyKey[]): string =>
    EXPECTATIONS[path.slice(0, 2).join('.')] ?? 'a mapping of keys';
  const { addrs, addr } = checkDocument(document, DYNCONFIG, expects).scheduler;
  const targets = [...addrs, ...(addr === undefined ? [] : [addr])];
  if (targets.length > 0) return targets;
  const message = 'expected at least one scheduler in scheduler.addrs (ip:port) or scheduler.addr (host:port)';
  throw new ConfigError([{ file, ...document.locate(['scheduler']), key: 'scheduler', message }]);
}
