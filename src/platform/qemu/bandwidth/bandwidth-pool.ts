import type { Limit } from './limits.js';
import { type Ticket, TokenBucket } from './token-bucket.js';

/** A part in one rate: `take` waits until so many bytes may pass. */
export interface Share {
  /** Resolves when the bytes may pass; rejects when the share is given back before. Any number of bytes. */
  take(bytes: number): Promise<void>;
  /** Gives the part back; what still waits is refused. */
  release(): void;
}

/** The rates of this process, each shared by all who name its key. A key nobody uses any more is forgotten. */
export class BandwidthPool {
  private readonly rates = new Map<string, SharedRate>();

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** A part in the rate of this key. Members share it equally. The newest rate named for a key holds for all of them. */
  share(limit: Limit, member: string): Share {
    const known = this.rates.get(limit.key);
    const rate = known ?? new SharedRate(limit.bytesPerSecond, this.nowMs);
    if (known === undefined) this.rates.set(limit.key, rate);
    else rate.change(limit.bytesPerSecond);
    return rate.share(member, () => {
      this.rates.delete(limit.key);
    });
  }
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/** A bucket with a timer. */
class SharedRate {
  private readonly bucket: TokenBucket;
  private readonly waiting = new Map<Ticket, Waiting>();
  private timer: NodeJS.Timeout | null = null;
  private shares = 0;

  constructor(
    bytesPerSecond: number,
    private readonly nowMs: () => number,
  ) {
    this.bucket = new TokenBucket(bytesPerSecond, nowMs());
  }

  change(bytesPerSecond: number): void {
    this.bucket.changeRate(bytesPerSecond, this.nowMs());
    this.serve();
  }

  share(member: string, onLast: () => void): Share {
    this.shares += 1;
    const own = new Set<Ticket>();
    let released = false;
    return {
      take: async (bytes) => {
        for (let left = bytes; left > 0; left -= this.bucket.burstBytes) {
          if (released) throw new Error('the bandwidth share was given back');
          await this.wait(member, Math.min(left, this.bucket.burstBytes), own);
        }
      },
      release: () => {
        if (released) return;
        released = true;
        for (const ticket of own) this.refuse(ticket);
        this.shares -= 1;
        if (this.shares === 0) onLast();
        this.serve();
      },
    };
  }

  private wait(member: string, bytes: number, own: Set<Ticket>): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const ticket = this.bucket.ask(member, bytes);
      own.add(ticket);
      this.waiting.set(ticket, {
        resolve: () => {
          own.delete(ticket);
          resolve();
        },
        reject,
      });
      this.serve();
    });
  }

  private refuse(ticket: Ticket): void {
    this.bucket.withdraw(ticket);
    this.waiting.get(ticket)?.reject(new Error('the bandwidth share was given back'));
    this.waiting.delete(ticket);
  }

  private serve(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    for (const ticket of this.bucket.grant(this.nowMs())) {
      this.waiting.get(ticket)?.resolve();
      this.waiting.delete(ticket);
    }
    const waitMs = this.bucket.waitMs(this.nowMs());
    this.timer = waitMs === null ? null : setTimeout(this.serve.bind(this), Math.ceil(waitMs));
  }
}
