import type { UserEvent } from './access/user.js';
import type { BackupEvent } from './backup/backup.js';
import type { DefaultCredentialEvent } from './credential/default-credential.js';
import type { CredentialEvent } from './credential/credential.js';
import type { VmHoldEvent } from './hold/vm-hold.js';
import type { VmContextEvent } from './inventory/vm-context.js';
import type { ReservationEvent } from './kernel/reservation.js';
import type { SagaEvent } from './kernel/saga.js';
import type { ProjectionUpkeepEvent } from './operations/projection-upkeep.js';
import type { RepositoryPlaceEvent } from './repository/repository-place.js';
import type { RepositoryEvent } from './repository/repository.js';
import type { MountEvent } from './restore/mount.js';
import type { VerificationEvent } from './verification/verification.js';

/** Everything that may stand in a log. What is appended no more stays, since logs keep it. */
type AnyEvent =
  | BackupEvent
  | CredentialEvent
  | DefaultCredentialEvent
  | MountEvent
  | ProjectionUpkeepEvent
  | RepositoryEvent
  | RepositoryPlaceEvent
  | ReservationEvent
  | SagaEvent
  | UserEvent
  | VerificationEvent
  | VmContextEvent
  | VmHoldEvent;

const ALL = {
  BackupCancelRequested: true,
  BackupCancelled: true,
  BackupCompleted: true,
  BackupFailed: true,
  BackupProven: true,
  BackupStarted: true,
  CredentialCreated: true,
  DefaultCredentialChosen: true,
  DiskReported: true,
  EffectCancelRequested: true,
  EffectCancelled: true,
  EffectFailed: true,
  EffectRequested: true,
  EffectSucceeded: true,
  MountClosed: true,
  MountFailed: true,
  MountOpened: true,
  MountRequested: true,
  ProjectionEventSkipped: true,
  ProjectionRebuildCancelled: true,
  ProjectionRebuildRequested: true,
  ProjectionRetryRequested: true,
  ProjectionVerificationRequested: true,
  RepositoryCreated: true,
  RepositoryPlaceReserved: true,
  ReservationReleased: true,
  Reserved: true,
  SagaEnded: true,
  SagaInputReceived: true,
  TimerFired: true,
  TimerSet: true,
  UnmountRequested: true,
  UserCreated: true,
  UserLoggedIn: true,
  UserLoggedOut: true,
  VerificationCancelRequested: true,
  VerificationCancelled: true,
  VerificationCompleted: true,
  VerificationFailed: true,
  VerificationRequested: true,
  VmContextAdded: true,
  VmHeld: true,
  VmReleased: true,
  VmSeenAgain: true,
  WatchEnded: true,
} satisfies Record<AnyEvent['type'], true>;

/** The name of every type of event. docs/events.md says what they mean; a test compares the two. */
export const EVENT_TYPES: readonly string[] = Object.keys(ALL);
