import type { ApiClient } from './api-client.js';
import { eventually } from './eventually.js';

/** What `data:` of one event of the stream holds. */
export interface StreamedEvent {
  readonly position: string;
  readonly event_id: string;
  readonly type: string;
  readonly stream: string;
  readonly correlation_id: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One connection to `GET /events/stream`, read as browsers read it. */
export class EventListener {
  readonly events: StreamedEvent[] = [];
  readonly comments: string[] = [];
  /** What `Last-Event-ID` would be. */
  lastId = '';
  isOver = false;
  private readonly controller = new AbortController();
  private reading: Promise<void> = Promise.resolve();

  private constructor(readonly response: Response) {}

  /** Throws unless the stream was opened. */
  static async open(api: ApiClient, query = '', headers: Record<string, string> = {}): Promise<EventListener> {
    const controller = new AbortController();
    const response = await api.open(`/events/stream?${query}`, headers, controller.signal);
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    const listener = new EventListener(response);
    listener.controller.signal.addEventListener('abort', () => {
      controller.abort();
    });
    listener.reading = listener.read();
    return listener;
  }

  /** Resolves when so many events came. */
  async came(count: number, withinSeconds = 10): Promise<readonly StreamedEvent[]> {
    return eventually(() => {
      if (this.events.length < count) throw new Error(`${this.events.length} of ${count} events came`);
      return this.events;
    }, withinSeconds);
  }

  /** Cuts the connection. */
  async cut(): Promise<void> {
    this.controller.abort();
    await this.reading;
  }

  private async read(): Promise<void> {
    let rest = '';
    const decoder = new TextDecoder();
    try {
      for await (const bytes of this.response.body as unknown as AsyncIterable<Uint8Array>) {
        const blocks = `${rest}${decoder.decode(bytes, { stream: true })}`.split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) this.take(block);
      }
    } catch {
      // Cut by one of the two sides.
    }
    this.isOver = true;
  }

  private take(block: string): void {
    let data: string | null = null;
    for (const line of block.split('\n')) {
      if (line.startsWith(':')) this.comments.push(line.slice(1).trim());
      else if (line.startsWith('id: ')) this.lastId = line.slice('id: '.length);
      else if (line.startsWith('data: ')) data = line.slice('data: '.length);
    }
    if (data !== null) this.events.push(JSON.parse(data) as StreamedEvent);
  }
}
