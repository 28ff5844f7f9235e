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
  clientConfig: z.unknown().optional(),
  seedClientConfig: z.unknown().optional(),
});

export interface Dynconfig {
  schedulers: HostPort[];
  /** Rules for peers, as a manager would tell them. */
  clientConfig: unknown;
  /** The same for seeds. */
  seedClientConfig: unknown;
}

const EXPECTATIONS: Readonly<Record<string, string>> = {
  'scheduler.addrs': 'a list of ip:port (IP addresses only; a name goes into scheduler.addr)',
  'scheduler.addr': 'host:port or [IPv6 address]:port',
};

/**
 * What a dynconfig file says (docs/WIRE.md 6.3): the schedulers in `scheduler.addrs`, IP addresses only, and
 * `scheduler.addr`, which may be a name; and the cluster's rules.
 * @throws ConfigError naming file, line, column and key
 */
export function parseDynconfig(text: string, file: string): Dynconfig {
  const document = parseYaml(text, file);
  const expects = (path: readonly PropertyKey[]): string =>
    EXPECTATIONS[path.slice(0, 2).join('.')] ?? 'a mapping of keys';
  const { scheduler, clientConfig, seedClientConfig } = checkDocument(document, DYNCONFIG, expects);
  const { addrs, addr } = scheduler;
  const schedulers = [...addrs, ...(addr === undefined ? [] : [addr])];
  if (schedulers.length > 0) return { schedulers, clientConfig, seedClientConfig };
  const message = 'expected at least one scheduler in scheduler.addrs (ip:port) or scheduler.addr (host:port)';
  throw new ConfigError([{ file, ...document.locate(['scheduler']), key: 'scheduler', message }]);
}
