import { DomainError } from '#domain/kernel/domain-error';

/** Longest piece of an agent's own words that is passed on. */
const MAX_WORDS = 300;

/** Nobody answers at the agent's address, or not in time. */
export class VmaAway extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'vma-away';
  constructor() {
    super('the agent beside vCenter (VMA) does not answer', 'check that the VMA runs and that its tunnel is up');
  }
}

/** Nobody was set up to be asked. */
export class NoAgentFor extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'no-agent';
  constructor(what: string) {
    super(what, 'name the agent and its vcenter_hosts in the file of OMA_AGENTS_FILE');
  }
}

/** The agent answered something that its interface doesn't know. */
export class VmaTalksNonsense extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'vma-talks-nonsense';
  constructor(what: string) {
    super(`the agent beside vCenter (VMA) answered something that can't be understood: ${what}`, 'check its version');
  }
}

/** The agent answered that it won't or can't. */
export class VmaRefuses extends DomainError {
  readonly kind = 'unavailable';
  readonly code = 'vma-refuses';
  constructor(words: string) {
    super(
      `the agent beside vCenter (VMA) refused: ${printable(words)}`,
      'check the credentials, the datacenter and the log of the VMA',
    );
  }
}

/** An agent's words without control characters, and not too many of them. */
export function printable(words: string): string {
  const plain = words.replaceAll(/\p{C}+/gu, ' ').trim();
  // By characters: no log takes half of one.
  return Array.from(plain).slice(0, MAX_WORDS).join('');
}
