import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import { type Count, type Described, type Measure, Metrics, type Sample, type Spread } from './metrics.port.js';

const LOOK_WITHIN_MS = 2000;

/** Something that is looked at; at most one look at it is under way. */
interface Source {
  readonly name: string;
  readonly gauges: ReadonlyMap<string, { readonly gauge: Gauge; readonly measure: Measure }>;
  readonly look: () => Promise<Readonly<Record<string, readonly Sample[]>>>;
  looking: boolean;
}

/** Metrics by prom-client, with a registry of their own: several OMAs in one process don't see each other's. */
export class PrometheusMetrics extends Metrics {
  private readonly registry = new Registry();
  private readonly sources: Source[] = [];
  private readonly descriptions: Described[] = [];
  private readonly up: Gauge;
  private asked: Promise<string> | null = null;

  constructor() {
    super();
    this.up = this.gauge({
      name: 'oma_metrics_source_up',
      help: 'Whether a source of these numbers answered: 1, or 0 when its measures are left out',
      labels: ['source'],
    });
  }

  /** Adds what is known of the process itself: memory, processor time, event loop, garbage collection. */
  withProcess(): this {
    collectDefaultMetrics({ register: this.registry });
    return this;
  }

  count(measure: Measure): Count {
    this.describe(measure, 'counter');
    const counter = new Counter({ ...ours(measure), registers: [this.registry] });
    return {
      add: (labels = {}, by = 1) => {
        counter.inc(labels, by);
      },
    };
  }

  spread(measure: Measure, bounds: readonly number[]): Spread {
    this.describe(measure, 'histogram');
    const histogram = new Histogram({ ...ours(measure), buckets: [...bounds], registers: [this.registry] });
    return {
      observe: (value, labels = {}) => {
        histogram.observe(labels, value);
      },
    };
  }

  watch<Name extends string>(
    name: string,
    measures: Readonly<Record<Name, Measure>>,
    look: () => Promise<Readonly<Record<Name, readonly Sample[]>>>,
  ): void {
    const gauges = Object.entries<Measure>(measures).map(
      ([key, measure]) => [key, { gauge: this.gauge(measure), measure }] as const,
    );
    this.sources.push({ name, gauges: new Map(gauges), look, looking: false });
  }

  /** Who asks while somebody else is being answered gets the same answer. */
  exposition(): Promise<string> {
    this.asked ??= this.collect().finally(() => {
      this.asked = null;
    });
    return this.asked;
  }

  described(): readonly Described[] {
    return this.descriptions;
  }

  private async collect(): Promise<string> {
    await Promise.all(
      this.sources.map(async (source) => {
        const found = await lookAt(source);
        this.up.set({ source: source.name }, found === null ? 0 : 1);
        for (const [key, { gauge, measure }] of source.gauges) {
          gauge.reset();
          // What has no labels is 0 after a reset, and a number nobody found must not be shown.
          if (measure.labels === undefined) gauge.remove();
          for (const { labels = {}, value } of found?.[key] ?? []) gauge.set(labels, value);
        }
      }),
    );
    return this.registry.metrics();
  }

  private gauge(measure: Measure): Gauge {
    this.describe(measure, 'gauge');
    return new Gauge({ ...ours(measure), registers: [this.registry] });
  }

  private describe(measure: Measure, type: Described['type']): void {
    this.descriptions.push({ ...measure, type });
  }
}

function ours({ name, help, labels = [] }: Measure): { name: string; help: string; labelNames: string[] } {
  return { name, help, labelNames: [...labels] };
}

/** What was found, or null. A look that hangs isn't joined by a second one: it would take what the first waits for. */
async function lookAt(source: Source): Promise<Readonly<Record<string, readonly Sample[]>> | null> {
  if (source.looking) return null;
  source.looking = true;
  const look = source
    .look()
    .catch(() => null)
    .finally(() => {
      source.looking = false;
    });
  return within(look, LOOK_WITHIN_MS);
}

async function within<Result>(work: Promise<Result>, ms: number): Promise<Result | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer);
  });
}
