import type { ReportingView } from '../platform/reporting/reporting.js';

const column = (name: string, sql: string, about: string) => ({ name, sql, about });

export const jobs: ReportingView = {
  name: 'jobs_v1',
  about: 'One row per job: backups, mounts for file restore, verifications',
  columns: [
    column('job_id', 'j.job_id', 'The job; of a backup also the backup, of a mount also the mount'),
    column('job_type', 'j.job_type', 'backup, restore_mount or verification'),
    column('status', 'j.status', 'running, completed, failed or cancelled'),
    column('cancel_requested', 'j.cancel_requested', 'Whether somebody asked for its end'),
    column('vm_context_id', 'j.vm_context_id', "The VM's identity"),
    column('vm_name', 'j.vm_name', "The VM's name when the job began"),
    column('requested_by_kind', 'j.actor_kind', 'user, saga, schedule, appliance or system'),
    column('requested_by', 'coalesce(u.username, j.actor_id)', 'Who asked for it'),
    column('correlation_id', 'j.correlation_id', 'Finds everything that belongs to it in audit_v1'),
    column('error_step', 'j.error_step', 'At which step it failed'),
    column('error_code', 'j.error_code', 'Why it failed or was cancelled'),
    column('error_message', 'j.error_message', 'The same in words'),
    column('started_at', 'j.created_at', 'When it began'),
    column('ended_at', 'j.completed_at', 'When it was over'),
    column('duration_seconds', 'extract(epoch from j.completed_at - j.created_at)::float8', 'From begin to end'),
  ],
  from: `from job j left join app_user u on j.actor_kind = 'user' and u.user_id = j.actor_id`,
};

export const audit: ReportingView = {
  name: 'audit_v1',
  about:
    'One row per event: who did what to which thing, when, why, and what led to it. What an event holds is left out',
  columns: [
    column('event_id', 'a.event_id', 'The event'),
    column('position', 'a.position', 'Where it stands in the log: sort by it'),
    column('recorded_at', 'a.recorded_at', 'When it was stored'),
    column('event_type', 'a.type', 'What happened; docs/events.md lists them'),
    column('subject_kind', `split_part(a.stream, '-', 1)`, 'What kind of thing it happened to: backup, mount, ...'),
    column('subject_id', `substr(a.stream, strpos(a.stream, '-') + 1)`, 'Which one; of backup and mount also the job'),
    column('actor_kind', 'a.actor_kind', 'user, saga, schedule, appliance or system'),
    column('actor', 'coalesce(u.username, a.actor_id)', 'Who did it'),
    column('reason', 'a.reason', 'Why, in the words of who did it (X-Reason)'),
    column('correlation_id', 'a.correlation_id', 'The same for everything that one request set in motion'),
    column('causation_id', 'a.causation_id', 'The event or command that led to it'),
  ],
  from: `from audit a left join app_user u on a.actor_kind = 'user' and u.user_id = a.actor_id`,
};
