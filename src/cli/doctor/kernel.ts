import { readFile } from 'node:fs/promises';
import { formatBytes } from '../../core/units.js';
import { findingsOf, type Finding } from './finding.js';

const found = findingsOf('kernel');

/** 10 Gbit/s over a round trip of 3 ms. */
const MIN_TCP_BUFFER_BYTES = 4 * 1024 * 1024;
/** What Node.js asks for. */
const MIN_BACKLOG = 511;
const GOOD_CONGESTION_CONTROLS = new Set(['bbr', 'cubic', 'bbr2', 'bbr3', 'dctcp']);

/** Reads a setting below /proc/sys; undefined where there is none. */
export type ReadSetting = (name: string) => Promise<string | undefined>;

const readProc: ReadSetting = (name) =>
  readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );

/** Settings that decide how fast one connection gets, and how many at once are taken. */
export async function checkKernel(read: ReadSetting = readProc): Promise<Finding[]> {
  const findings = [
    await checkCongestionControl(read),
    await checkBuffers('net.ipv4.tcp_wmem', 'sent', read),
    await checkBuffers('net.ipv4.tcp_rmem', 'received', read),
    await checkBacklog(read),
  ];
  return findings.filter((finding) => finding !== undefined);
}

async function checkCongestionControl(read: ReadSetting): Promise<Finding | undefined> {
  const name = 'net.ipv4.tcp_congestion_control';
  const value = await read(name);
  if (value === undefined) return undefined;
  if (GOOD_CONGESTION_CONTROLS.has(value)) return found.ok(`${name} is ${value}`);
  return found.warn(`${name} is ${value}, which is slow after losses`, `sysctl -w ${name}=bbr, or cubic`);
}

async function checkBuffers(name: string, what: string, read: ReadSetting): Promise<Finding | undefined> {
  const value = await read(name);
  const [min = 0, usual = 0, max = 0] = (value ?? '').split(/\s+/).map(Number);
  if (value === undefined || !(max > 0)) return undefined;
  const text = `${name}: up to ${formatBytes(max)} a connection`;
  if (max >= MIN_TCP_BUFFER_BYTES) return found.ok(text);
  return found.warn(
    `${text}, too little for what is ${what} over long distances`,
    `sysctl -w ${name}="${min} ${usual} ${MIN_TCP_BUFFER_BYTES}"`,
  );
}

async function checkBacklog(read: ReadSetting): Promise<Finding | undefined> {
  const name = 'net.core.somaxconn';
  const value = Number(await read(name));
  if (Number.isNaN(value)) return undefined;
  if (value >= MIN_BACKLOG) return found.ok(`${name} is ${value}`);
  return found.warn(`${name} is ${value}: bursts of new connections are dropped`, `sysctl -w ${name}=4096`);
}
