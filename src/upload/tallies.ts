import { Counter, Gauge, Histogram } from 'prom-client';

/**
 * prom-client's metrics with series that are added to directly: it looks a series up by hashing its labels at every
 * count, several microseconds of each request. Here the labels are looked at when somebody scrapes.
 */
type Labels<Name extends string> = Partial<Record<Name, string | number>>;

/** One series of a counter or gauge. */
export interface Tally {
  value: number;
}

interface LabelledTally<Name extends string> extends Tally {
  readonly labels: Labels<Name>;
}

export class TallyCounter<Name extends string> extends Counter<Name> {
  readonly #tallies: LabelledTally<Name>[] = [];

  /** A new series at 0; once for each set of labels. */
  series(labels: Labels<Name>): Tally {
    return addSeries(this.#tallies, labels);
  }

  override async get(): ReturnType<Counter<Name>['get']> {
    return { ...(await super.get()), values: this.#tallies };
  }
}

export class TallyGauge<Name extends string> extends Gauge<Name> {
  readonly #tallies: LabelledTally<Name>[] = [];

  /** A new series at 0; once for each set of labels. */
  series(labels: Labels<Name>): Tally {
    return addSeries(this.#tallies, labels);
  }

  override async get(): ReturnType<Gauge<Name>['get']> {
    return { ...(await super.get()), values: this.#tallies };
  }
}

function addSeries<Name extends string>(tallies: LabelledTally<Name>[], labels: Labels<Name>): Tally {
  const tally = { labels, value: 0 };
  tallies.push(tally);
  return tally;
}

/** One series of a histogram. */
export class Distribution {
  sum = 0;
  count = 0;
  /** Not cumulative; what exceeds the last bound is only in `count`. */
  readonly inBucket: Float64Array;
  readonly #bounds: readonly number[];

  /** Upper bounds, inclusive, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.inBucket = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    this.sum += value;
    this.count++;
    const index = this.#bounds.findIndex((bound) => value <= bound);
    if (index !== -1) this.inBucket[index] = (this.inBucket[index] ?? 0) + 1;
  }
}

/** A sample as prom-client's own histograms keep it. */
interface SharedValue<Name extends string> {
  value: number;
  labels: { le?: number | string };
  sharedLabels: Labels<Name>;
  metricName: string;
}

export interface TallyHistogramOptions<Name extends string> {
  name: string;
  help: string;
  labelNames: readonly Name[];
  buckets: readonly number[];
  registers: ConstructorParameters<typeof Histogram>[0]['registers'];
}

export class TallyHistogram<Name extends string> extends Histogram<Name> {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #series: { labels: Labels<Name>; distribution: Distribution }[] = [];

  constructor({ name, buckets, registers = [], ...rest }: TallyHistogramOptions<Name>) {
    super({ ...rest, name, buckets: [...buckets], registers });
    this.#name = name;
    this.#help = rest.help;
    this.#bounds = buckets;
  }

  /** A new series without observations; once for each set of labels. */
  series(labels: Labels<Name>): Distribution {
    const distribution = new Distribution(this.#bounds);
    this.#series.push({ labels, distribution });
    return distribution;
  }

  /** What a registry asks a histogram for when somebody scrapes, and what get() begins with; prom-client's types lack it. */
  async getForPromString(): Promise<object> {
    const values = this.#series.flatMap(({ labels, distribution }) => this.#valuesOf(labels, distribution));
    return { name: this.#name, help: this.#help, type: 'histogram', aggregator: 'sum', values };
  }

  #valuesOf(labels: Labels<Name>, { inBucket, sum, count }: Distribution): SharedValue<Name>[] {
    const bucket = (le: number | string, value: number): SharedValue<Name> => ({
      value,
      labels: { le },
      sharedLabels: labels,
      metricName: `${this.#name}_bucket`,
    });
    let below = 0;
    const buckets = this.#bounds.map((le, index) => bucket(le, (below += inBucket[index] ?? 0)));
    return [
      ...buckets,
      bucket('+Inf', count),
      { value: sum, labels: {}, sharedLabels: labels, metricName: `${this.#name}_sum` },
      { value: count, labels: {}, sharedLabels: labels, metricName: `${this.#name}_count` },
    ];
  }
}
