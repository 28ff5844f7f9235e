import { open } from 'node:fs/promises';
import { isIP } from 'node:net';
import { parse } from 'yaml';
import { z } from 'zod';
import { DfpeerError } from '../core/errors.js';
import { parseHostPort, resolveSchedulers, type HostPort } from './scheduler-address.js';
import type { SchedulerList, SchedulerSource, SourceOptions } from './scheduler-source.js';

export const MAX_DYNCONFIG_BYTES = 1024 * 1024;

const DYNCONFIG = z.object({
  scheduler: z.object({ addrs: z.array(z.string()).nullish(), addr: z.string().nullish() }),
});

/** `scheduler: {addrs: [ip:port, …]}` or `scheduler: {addr: host:port}` (Dragonfly v2 wire facts, 7.5). Read anew at each refresh. */
export class DynconfigSource implements SchedulerSource {
  readonly #file: string;
  readonly #options: Pick<SourceOptions, 'clock' | 'lookup'>;

  constructor(file: string, options: Pick<SourceOptions, 'clock' | 'lookup'>) {
    this.#file = file;
    this.#options = options;
  }

  async list(signal: AbortSignal): Promise<SchedulerList> {
    const targets = parseDynconfig(await readBounded(this.#file), this.#file);
    const resolved = targets.map((target) => resolveSchedulers(target, { ...this.#options, signal }));
    return { schedulers: (await Promise.all(resolved)).flat() };
  }

  close(): void {
    // Holds nothing.
  }
}

/** The addresses a dynconfig file names. @throws DfpeerError (DFP_CONFIG) that names the file and what is wrong with it */
export function parseDynconfig(text: string, file: string): HostPort[] {
  const fail = (problem: string, cause?: unknown): never => {
    throw new DfpeerError('DFP_CONFIG', `dynconfig file ${file}: ${problem}`, { cause });
  };
  let content: unknown;
  try {
    content = parse(text, { maxAliasCount: 100, logLevel: 'error' });
  } catch (cause) {
    return fail(cause instanceof Error ? cause.message : String(cause), cause);
  }
  const checked = DYNCONFIG.safeParse(content);
  if (!checked.success)
    return fail(`expected scheduler.addrs (a list of ip:port) or scheduler.addr (host:port)`, checked.error);
  const { addr, addrs } = checked.data.scheduler;
  const literals = (addrs ?? []).map((each) => parseHostPort(each, `scheduler.addrs in ${file}`));
  const name = literals.find(({ host }) => isIP(host) === 0);
  if (name !== undefined)
    return fail(
      `scheduler.addrs takes IP addresses only, not ${JSON.stringify(name.host)}; use scheduler.addr for a name`,
    );
  const named = typeof addr === 'string' && addr !== '' ? [parseHostPort(addr, `scheduler.addr in ${file}`)] : [];
  const targets = [...literals, ...named];
  return targets.length > 0 ? targets : fail('no scheduler in scheduler.addrs or scheduler.addr');
}

async function readBounded(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > MAX_DYNCONFIG_BYTES) throw new RangeError(`larger than ${MAX_DYNCONFIG_BYTES} bytes`);
    return await file.readFile('utf8');
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new DfpeerError('DFP_CONFIG', `dynconfig file ${path} can't be read: ${problem}`, { cause });
  }
}
