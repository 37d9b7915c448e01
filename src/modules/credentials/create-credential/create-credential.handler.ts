import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { DefaultMustBeActive } from '#domain/credential/credential.errors';
import {
  credential as credentialDecider,
  type CredentialCommand,
  type CredentialFacts,
} from '#domain/credential/credential';
import type { CommandContext } from '#domain/kernel/command-context';
import { DomainError } from '#domain/kernel/domain-error';
import { folded } from '#domain/kernel/folded';
import { reservation } from '#domain/kernel/reservation';
import { Clock } from '#platform/clock/clock.port';
import { until } from '#platform/clock/until';
import { Aggregates } from '#platform/event-store/aggregates';
import { isRefusedByLog } from '#platform/event-store/event-store.port';
import { idFor, newId } from '#platform/ids/ids';
import { Numbers } from '#platform/ids/numbers.port';
import { createReserved } from '#platform/sagas/create-reserved';
import { Vault } from '#platform/secrets/vault.port';
import { CredentialRow } from '#projections/credential/credential.entity';

import type { ShownCredential } from '../credential.response.js';
import type { CreateCredentialRequest } from './create-credential.request.js';

const VISIBLE_WITHIN_MS = 1500;

type Wanted = Pick<CredentialFacts, 'name' | 'vcenterHost' | 'username' | 'datacenter' | 'isActive' | 'isDefault'>;
/** `isTold`: whether the command's position is that of the credential, and not only of its name. */
type Made = { readonly credential: CredentialFacts; readonly isTold: boolean };
type Created = { readonly shown: ShownCredential; readonly pending: boolean };

export class CreateCredential extends Command<Created> {
  constructor(
    readonly request: CreateCredentialRequest,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(CreateCredential)
export class CreateCredentialHandler implements ICommandHandler<CreateCredential> {
  constructor(
    private readonly aggregates: Aggregates,
    private readonly vault: Vault,
    private readonly numbers: Numbers,
    private readonly clock: Clock,
    private readonly rows: DataSource,
  ) {}

  async execute({ request, context }: CreateCredential): Promise<Created> {
    const { credential_name: name, vcenter_host: vcenterHost, username, datacenter } = request;
    const wanted = {
      name,
      vcenterHost,
      username,
      datacenter,
      isActive: request.is_active,
      isDefault: request.is_default,
    };
    if (wanted.isDefault && !wanted.isActive) throw new DefaultMustBeActive();
    const { credential, isTold } = await this.make(wanted, request.password, context);
    const row = await until(() => this.settled(credential), VISIBLE_WITHIN_MS);
    return { shown: row ?? this.asCreated(credential), pending: row === null || !isTold };
  }

  /**
   * The password is in the vault before anything refers to it, and leaves it when the name turns out to be taken, or when the same
   * command was here before: then it is the first one's credential.
   */
  private async make(wanted: Wanted, password: string, context: CommandContext): Promise<Made> {
    const [credentialNumber, secret] = await Promise.all([this.numbers.next('credential'), this.vault.put(password)]);
    const credential: CredentialFacts = {
      ...wanted,
      id: newId(),
      credentialNumber,
      secretRef: secret.ref,
      fingerprint: secret.fingerprint,
      createdBy: context.actor.id,
    };
    try {
      const made = await this.reserveName(credential, context);
      if (made.credential.secretRef !== secret.ref) await this.vault.forget(secret.ref);
      return made;
    } catch (error) {
      if (error instanceof DomainError || isRefusedByLog(error)) await this.vault.forget(secret.ref);
      throw error;
    }
  }

  private async reserveName(credential: CredentialFacts, context: CommandContext): Promise<Made> {
    const command: CredentialCommand = { type: 'CreateCredential', credential };
    const { events } = await this.aggregates.handle({
      decider: reservation,
      stream: nameStream(credential.name),
      command: {
        type: 'Reserve',
        by: credential.id,
        label: `a credential named "${credential.name}"`,
        creates: { category: 'credential', command },
      },
      context,
      begins: true,
    });
    const isTold = await createReserved(this.aggregates, credentialDecider, events, credential.id, context);
    const [reserved] = events;
    if (reserved?.type !== 'Reserved') return { credential, isTold };
    return { credential: (reserved.data.creates.command as unknown as CredentialCommand).credential, isTold };
  }

  /** The row, once it is also settled which credential is the default. */
  private async settled({ id, isActive, isDefault }: CredentialFacts): Promise<CredentialRow | null> {
    const rows = this.rows.getRepository(CredentialRow);
    const row = await rows.findOneBy({ id });
    if (row === null || !isActive || row.isDefault) return row;
    return !isDefault && (await rows.existsBy({ isDefault: true })) ? row : null;
  }

  private asCreated(credential: CredentialFacts): ShownCredential {
    const now = this.clock.now();
    return { ...credential, credentialId: credential.credentialNumber, createdAt: now, updatedAt: now };
  }
}

function nameStream(name: string): string {
  return `credentialname-${idFor('credential name', folded(name))}`;
}
