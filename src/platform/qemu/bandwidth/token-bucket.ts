/** One member's wish to move bytes; identity is the ticket. */
export interface Ticket {
  readonly member: string;
  readonly bytes: number;
}

interface Member {
  readonly tickets: Ticket[];
  /** Bytes granted so far; a member that comes back after a pause begins at the floor: idle time is not saved up. */
  served: number;
}

const MIN_BURST_BYTES = 16 * 1024;
const MAX_BURST_BYTES = 4 * 1024 * 1024;
const BURST_SECONDS = 0.05;

/**
 * Shares a rate among members. In any stretch of time no more than rate × time + burst is granted; nothing is held back while
 * there are tokens for it; and members that all want more get the same, whatever the size and number of their tickets. Pure:
 * the caller passes the time, in milliseconds of a clock that never goes back.
 */
export class TokenBucket {
  readonly burstBytes: number;
  private tokens: number;
  private readonly members = new Map<string, Member>();
  /** What the last granted member had been served before: who comes in now begins there. */
  private floor = 0;

  constructor(
    private bytesPerSecond: number,
    private filledAtMs: number,
  ) {
    if (!(bytesPerSecond > 0)) throw new RangeError('a rate is more than 0 bytes per second');
    this.burstBytes = Math.round(Math.min(MAX_BURST_BYTES, Math.max(MIN_BURST_BYTES, bytesPerSecond * BURST_SECONDS)));
    this.tokens = this.burstBytes;
  }

  /** From now on this rate; the burst stays as it was. */
  changeRate(bytesPerSecond: number, nowMs: number): void {
    if (!(bytesPerSecond > 0)) throw new RangeError('a rate is more than 0 bytes per second');
    this.fill(nowMs);
    this.bytesPerSecond = bytesPerSecond;
  }

  /** Queues a ticket of at most `burstBytes`; a member's own tickets are granted in the order of asking. */
  ask(member: string, bytes: number): Ticket {
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > this.burstBytes) {
      throw new RangeError(`a ticket is for 1 to ${this.burstBytes} bytes`);
    }
    const ticket = { member, bytes };
    const known = this.members.get(member);
    if (known === undefined) {
      this.members.set(member, { tickets: [ticket], served: this.floor });
    } else {
      if (known.tickets.length === 0) known.served = Math.max(known.served, this.floor);
      known.tickets.push(ticket);
    }
    return ticket;
  }

  /** Forgets a ticket that was not granted yet. */
  withdraw(ticket: Ticket): void {
    const member = this.members.get(ticket.member);
    const at = member?.tickets.indexOf(ticket) ?? -1;
    if (at >= 0) member?.tickets.splice(at, 1);
    this.forgetTheIdle();
  }

  /** Takes out of the queue all tickets for which there are tokens now. */
  grant(nowMs: number): readonly Ticket[] {
    this.fill(nowMs);
    const granted: Ticket[] = [];
    for (;;) {
      const next = this.next();
      if (next === null || next.ticket.bytes > this.tokens) break;
      const { member, ticket } = next;
      this.tokens -= ticket.bytes;
      this.floor = member.served;
      member.served += ticket.bytes;
      member.tickets.shift();
      granted.push(ticket);
    }
    this.forgetTheIdle();
    return granted;
  }

  /** How long until the next grant, in milliseconds; null when nobody asks. */
  waitMs(nowMs: number): number | null {
    this.fill(nowMs);
    const next = this.next();
    if (next === null) return null;
    return Math.max(0, ((next.ticket.bytes - this.tokens) / this.bytesPerSecond) * 1000);
  }

  private fill(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.filledAtMs);
    this.tokens = Math.min(this.burstBytes, this.tokens + (passedMs / 1000) * this.bytesPerSecond);
    this.filledAtMs = Math.max(this.filledAtMs, nowMs);
  }

  /** Who asks for nothing and would begin at the floor anyway need not be remembered. */
  private forgetTheIdle(): void {
    for (const [name, { tickets, served }] of this.members) {
      if (tickets.length === 0 && served <= this.floor) this.members.delete(name);
    }
  }

  /** The member that got least so far. */
  private next(): { readonly member: Member; readonly ticket: Ticket } | null {
    let best: { readonly member: Member; readonly ticket: Ticket } | null = null;
    for (const member of this.members.values()) {
      const [ticket] = member.tickets;
      if (ticket !== undefined && (best === null || member.served < best.member.served)) best = { member, ticket };
    }
    return best;
  }
}
