import { setTimeout as pause } from 'node:timers/promises';

/** OMA's address without `/api/v1`, and the token by which it knows the agent. */
interface OmaAddress {
  readonly url: string;
  readonly token: string;
}

const ANSWER_LIMIT_MS = 5_000;
const ATTEMPTS = 4;
const BETWEEN_ATTEMPTS_MS = 250;

/** OMA as the agent reaches it; without an address it reaches nobody. What can't be told is forgotten. */
export class OmaDoor {
  private address: OmaAddress | null = null;
  private ending = new AbortController();

  /** @param isGone while this holds the agent says nothing. */
  constructor(private readonly isGone: () => boolean) {}

  connect(url: string, token: string): void {
    this.address = { url: url.replace(/\/+$/, ''), token };
  }

  /** Gives up whatever is being told or asked. */
  abandon(): void {
    this.ending.abort();
    this.ending = new AbortController();
  }

  /** Resolves when OMA took it, refused it, or couldn't be reached a few times. */
  async tell(path: string, body: object, attempts = ATTEMPTS): Promise<void> {
    await this.send('POST', path, JSON.stringify(body), attempts);
  }

  /** What OMA answers, or null when it refuses or can't be reached. */
  async ask(path: string): Promise<unknown> {
    const answer = await this.send('GET', path, undefined, ATTEMPTS);
    return answer === null ? null : parsed(answer);
  }

  private async send(method: string, path: string, body: string | undefined, attempts: number): Promise<string | null> {
    const { signal } = this.ending;
    if (this.address === null) return null;
    for (let attempt = 1; attempt <= attempts && !signal.aborted; attempt++) {
      if (attempt > 1) await pause(BETWEEN_ATTEMPTS_MS, undefined, { signal }).catch(() => undefined);
      const answer = await this.once(method, path, body, signal).catch(() => null);
      if (answer?.ok === true) return answer.text;
      // A refusal stays one; anything else may go by.
      if (answer !== null && answer.status < 500) return null;
    }
    return null;
  }

  private async once(
    method: string,
    path: string,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly ok: boolean; readonly status: number; readonly text: string } | null> {
    if (this.address === null || this.isGone()) return null;
    const { url, token } = this.address;
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]),
      redirect: 'error',
      ...(body !== undefined && { body }),
    });
    return { ok: response.ok, status: response.status, text: await response.text() };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
