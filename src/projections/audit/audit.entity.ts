import { ViewColumn, ViewEntity } from 'typeorm';

/** One event as auditors see it. */
@ViewEntity({ name: 'audit', synchronize: false })
export class AuditRow {
  @ViewColumn({ name: 'event_id' })
  readonly eventId: string;

  @ViewColumn()
  readonly position: string;

  @ViewColumn({ name: 'recorded_at' })
  readonly recordedAt: Date;

  @ViewColumn()
  readonly type: string;

  @ViewColumn()
  readonly stream: string;

  @ViewColumn({ transformer: { from: Number, to: String } })
  readonly revision: number;

  @ViewColumn({ name: 'actor_kind' })
  readonly actorKind: string;

  @ViewColumn({ name: 'actor_id' })
  readonly actorId: string;

  @ViewColumn({ name: 'correlation_id' })
  readonly correlationId: string;

  @ViewColumn({ name: 'causation_id' })
  readonly causationId: string;

  @ViewColumn({ name: 'command_id' })
  readonly commandId: string | null;

  @ViewColumn()
  readonly reason: string | null;

  @ViewColumn()
  readonly data: object;
}
