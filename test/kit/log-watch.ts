import pg from 'pg';

/** An event as far as a test looks at it. */
export interface LoggedEvent {
  readonly position: string;
  readonly stream: string;
  readonly type: string;
  readonly data: Readonly<Partial<Record<'step' | 'effectId' | 'timerId' | 'eventId', string>>>;
}

const POLL_MS = 3;

/** Looks into the log from outside, fast enough to act while a step is under way. */
export class LogWatch {
  private constructor(private readonly client: pg.Client) {}

  static async open(databaseUrl: string): Promise<LogWatch> {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    return new LogWatch(client);
  }

  /** Resolves as soon as the stream has an event of this type for this step; false when the saga ended without it. */
  async until(stream: string, type: string, step: string, withinSeconds = 60): Promise<boolean> {
    const deadline = Date.now() + withinSeconds * 1000;
    while (Date.now() < deadline) {
      const events = await this.events(stream);
      if (events.some((event) => event.type === type && event.data.step === step)) return true;
      if (events.some((event) => event.type === 'SagaEnded')) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`${stream} has no ${type} of ${step}`);
  }

  async events(stream: string): Promise<readonly LoggedEvent[]> {
    const { rows } = await this.client.query<LoggedEvent>(
      'select position, stream, type, data from es.event where stream = $1 order by position',
      [stream],
    );
    return rows;
  }

  async close(): Promise<void> {
    await this.client.end();
  }
}

/** What must never stand in a stream twice: outcomes of one effect, ends of one thing. */
export function doubledFacts(events: readonly LoggedEvent[]): readonly string[] {
  const seen = new Set<string>();
  return events.flatMap((event) => {
    const { step = '', effectId, timerId, eventId } = event.data;
    const once = `${event.type} ${step} ${effectId ?? timerId ?? eventId ?? ''}`;
    if (seen.has(once)) return [once];
    seen.add(once);
    return [];
  });
}
