import { Shown } from './answer-fields.js';
import { type AnswerHeader, answerHeaders } from './answer-headers.js';
import { type JsonSchema, schemaRef } from './json-schema.js';

/** One thing that is wrong with a request. */
class FieldProblem {
  @Shown.text('dotted path in the body, or the name of the query or path parameter') readonly field: string;
  @Shown.text('what is wrong with it') readonly message: string;
}

/** One of several VMs that answer to the same name. */
class CandidateVm {
  @Shown.text('its id here; null while it is not under care', { nullable: true }) readonly context_id: string | null;
  @Shown.text('its name') readonly vm_name: string;
  @Shown.text('its id in the vCenter') readonly vmware_vm_id: string;
  @Shown.text('where it is in the vCenter') readonly vm_path: string;
  @Shown.text('which vCenter has it') readonly vcenter_host: string;
}

/** Why a disk can't be copied incrementally. */
class DiskProblem {
  @Shown.whole('which disk of the VM') readonly disk_id: number;
  @Shown.text('what is in the way') readonly reason: string;
}

/** The shape of every error (RFC 9457). What stands after `error` comes with some codes: ids, candidates, field errors. */
class Problem {
  @Shown.text('urn:problem: and the code', { example: 'urn:problem:unknown-vm' }) readonly type: string;
  @Shown.text('the status in words') readonly title: string;
  @Shown.whole('the status of the answer') readonly status: number;
  @Shown.text('what is in the way, for people') readonly detail: string;
  @Shown.text('stable, for programs') readonly code: string;
  @Shown.text('finds the request in the log and the audit trail') readonly correlation_id: string;
  @Shown.text('what to do about it', { optional: true }) readonly remedy?: string;
  @Shown.text('the same as detail, for older clients') readonly error: string;

  @Shown.list(FieldProblem, 'all that is wrong with the request', { optional: true })
  readonly errors?: readonly FieldProblem[];
  @Shown.text('what was asked for', { optional: true }) readonly vm?: string;
  @Shown.list(CandidateVm, 'the VMs that answer to it', { optional: true })
  readonly candidates?: readonly CandidateVm[];
  @Shown.text('which VM', { optional: true }) readonly vm_context_id?: string;
  @Shown.text('which job', { optional: true }) readonly job_id?: string;
  @Shown.text('how the job is', { optional: true }) readonly job_status?: string;
  @Shown.text('which backup', { optional: true }) readonly backup_id?: string;
  @Shown.text('how the backup is', { optional: true }) readonly backup_status?: string;
  @Shown.text('which mount', { optional: true }) readonly mount_id?: string;
  @Shown.text('how the mount is', { optional: true }) readonly mount_status?: string;
  @Shown.text('which OMA instance has it', { optional: true }) readonly instance_id?: string;
  @Shown.text('where that instance is; null when it was given up', { optional: true, nullable: true })
  readonly host?: string | null;
  @Shown.whole('which partition', { optional: true }) readonly partition?: number;
  @Shown.text('which repository', { optional: true }) readonly repository_id?: string;
  @Shown.text('the type that was asked for', { optional: true }) readonly repository_type?: string;
  @Shown.texts('the types that are offered', { optional: true }) readonly repository_types?: readonly string[];
  @Shown.text('what is wrong with the directory', { optional: true }) readonly fault?: string;
  @Shown.whole('which credential', { optional: true }) readonly credential_id?: number;
  @Shown.whole('which disk', { optional: true }) readonly disk_id?: number;
  @Shown.wholes('the disks there are', { optional: true }) readonly disk_ids?: readonly number[];
  @Shown.list(DiskProblem, 'why not, disk by disk', { optional: true }) readonly disks?: readonly DiskProblem[];
  @Shown.wholes('disks that OMA did not know', { optional: true }) readonly added_device_keys?: readonly number[];
  @Shown.wholes('disks that are gone', { optional: true }) readonly removed_device_keys?: readonly number[];
  @Shown.whole('how many bytes are needed', { optional: true }) readonly needed_bytes?: number;
  @Shown.whole('how many bytes there are', { optional: true }) readonly available_bytes?: number;
  @Shown.whole('how many there can be', { optional: true }) readonly limit?: number;
  @Shown.texts('what is not ready', { optional: true }) readonly not_ready?: readonly string[];
  @Shown.text('which verification of a projection', { optional: true }) readonly check_id?: string;
  @Shown.text('which event', { optional: true }) readonly event_id?: string;
  @Shown.whole('the version whose rows are read', { optional: true }) readonly version?: number;
  @Shown.text('of the one that exists', { optional: true }) readonly id?: string;
  @Shown.text('the name that was asked for', { optional: true }) readonly name?: string;
  @Shown.text('the newest position there is', { optional: true }) readonly newest_position?: string;
  @Shown.text('where a list begins: without a cursor', { optional: true, nullable: true })
  readonly newest_cursor?: string | null;
  @Shown.text('the tag of what there is now', { optional: true, nullable: true })
  readonly current_etag?: string | null;
  @Shown.always(false, 'of a failed login, for older clients', { optional: true }) readonly success?: false;
  @Shown.text('of a failed login, for older clients', { optional: true }) readonly error_message?: string;
}

const HEADERS_OF: Readonly<Record<string, AnswerHeader | readonly AnswerHeader[]>> = {
  'not-visible-yet': ['Retry-After', 'X-Consistency', 'X-Event-Position', 'Location'],
  'precondition-failed': 'ETag',
  'read-models-behind': 'Retry-After',
  'too-many-streams': 'Retry-After',
  unauthenticated: 'WWW-Authenticate',
  'too-many-attempts': 'Retry-After',
  'request-under-way': 'Retry-After',
  'event-store-away': 'Retry-After',
  'database-away': 'Retry-After',
  'range-not-satisfiable': 'Content-Range',
};

/** How the API document has a refusal: the codes that one status may have here, and the headers that belong to them. `note` is what else callers should know. */
export function refusalDocument(codes: readonly string[], note = ''): JsonSchema {
  const headers = codes.flatMap((code) => HEADERS_OF[code] ?? []);
  const schema = { allOf: [schemaRef(Problem.name), { properties: { code: { enum: codes } } }] };
  return {
    description: codes.join(', ') + note,
    headers: codes.length === 1 ? answerHeaders(headers) : answerHeaders([], headers),
    content: { 'application/problem+json': { schema } },
  };
}
