/** What one run went through: each fault that really happened, and what the code under test did about it. */
export class Exercised {
  readonly faults = new Set<string>();

  fault(name: string): void {
    this.faults.add(name);
  }
}

/** What the simulation promises to try: a run of many seeds that misses one of them proves less than it says. */
export const PROMISED_FAULTS: readonly string[] = [
  ...['slow', 'dead', 'refusing', 'lies', 'silent', 'trickles', 'falls silent in mid-piece', 'closes in mid-piece'],
  ...['ends its offers early', 'its stream breaks', 'reorders and repeats its offers', 'offers after we hung up'],
  ...['offers what can not be', 'refuses what it offered', 'busy, asks to come back at once'],
  ...['busy, asks to come back later', 'starts anew in mid-stream', 'has the new version'],
]
  .map((name) => `parent: ${name}`)
  .concat(
    ['unreachable', 'slow', 'mute', 'breaking', 'restarting', 'to-source', 'empty', 'no-parents']
      .concat('tells of more parents')
      .map((name) => `scheduler: ${name}`),
    [
      ...['answers with an error', 'status 404', 'status 429', 'status 500', 'status 503', 'is down', 'never answers'],
      ...['resets the connection', 'falls silent', 'trickles', 'ends too early', 'announces a wrong length'],
      ...['ignores a range', 'never takes ranges', 'tells no length', 'tells no validator', 'the content changes'],
      ...['the content changes unseen'],
      ...['asks to come back at once'],
    ].map((name) => `origin: ${name}`),
    ['full', 'slow fsync', 'hangs', 'EIO, write', 'EIO, write the metadata', 'EIO, create', 'EIO, sync'].map(
      (name) => `disk: ${name}`,
    ),
    ['kill', 'power-loss', 'restart', 'the task is deleted'].map((name) => `host: ${name}`),
    ['leaves before the end', 'joins a running download', 'asks for a range beyond the end'].map(
      (name) => `client: ${name}`,
    ),
  );

/** Log lines of the code under test that show how it coped. */
export const REACTIONS: readonly [name: string, line: RegExp][] = [
  ['an origin is asked again', /trying again/],
  ['a parent is given up', /a parent is given up/],
  ['a slow piece is asked of a second parent', /another parent is asked for it too/],
  ['the origin is raced with a silent scheduler', /taken from the origin meanwhile.*the scheduler is silent/],
  ['the origin is raced with silent parents', /taken from the origin meanwhile.*the parents are silent/],
  ['a slow piece is asked of the origin', /the origin is asked for it too/],
  ['a silent scheduler is left for an origin without ranges', /the scheduler is silent, and the origin gives/],
  ['the origin takes over from the parents', /info fetching from the origin.*(no parent|is gone)/],
  ['a changed content starts anew', /the task starts anew/],
  ['a piece of another version is refused', /has another state of the content now/],
  ['a stall is told', /has not moved for/],
  ['a partial task is resumed', /the task is open .*stored=[1-9]/],
  ['pieces are checked after a crash', /do not match their digests/],
  ['older tasks make room on a full disk', /older tasks made room/],
  ['a damaged task is put aside', /goes to quarantine/],
];

export function reactionsIn(log: readonly string[]): Set<string> {
  return new Set(REACTIONS.filter(([, line]) => log.some((text) => line.test(text))).map(([name]) => name));
}

/** In how many runs something happened. */
export class Histogram {
  readonly #counts = new Map<string, number>();

  add(names: Iterable<string>): void {
    for (const name of names) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  has(name: string): boolean {
    return this.#counts.has(name);
  }

  /** Most frequent first. */
  lines(): string[] {
    return [...this.#counts]
      .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))
      .map(([name, count]) => `${String(count).padStart(8)}  ${name}`);
  }
}
