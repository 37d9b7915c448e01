/** Ids out of the seeded log that routes ask for; every repetition asks for others. */
export interface Sample {
  readonly context_id: string;
  readonly vm_name: string;
  readonly repository_id: string;
  readonly backup_id: string;
  readonly job_id: string;
  readonly mount_id: string;
  readonly actor_id: string;
  readonly stream: string;
  readonly correlation_id: string;
  readonly recorded_at: string;
  /** One minute later. */
  readonly recorded_until: string;
}

/** A route and the statement that answers the same from the same views. */
export interface ReadRoute {
  readonly name: string;
  readonly path: (sample: Sample) => string;
  readonly sql: string;
  readonly values: (sample: Sample) => readonly string[];
  /** Where the rows are in the answer, and by what they are recognised, there and in what the statement answers. */
  readonly list?: string;
  readonly key?: string;
}

const JOB_PROGRESS = `(select json_agg(p) from backup_progress p where p.job_id = `;
const AUDIT = `select a.*, c.event_id cause_id, c.type cause_type, c.stream cause_stream, u.username
  from audit a
  left join audit c on c.event_id = case when a.causation_id ~ '^[0-9a-f-]{36}$' then a.causation_id::uuid end
  left join app_user u on u.user_id = a.actor_id`;
const AUDIT_END = 'order by a.position desc limit 101';
const JOBS = `select j.*, b.disks, ${JOB_PROGRESS} j.job_id) progress
  from job j left join backup b on b.backup_id = j.job_id`;
const BACKUPS = `select b.*, ${JOB_PROGRESS} b.backup_id) progress`;

const audit = (name: string, filter: (sample: Sample) => string, where: string, values: ReadRoute['values']) => ({
  name: `audit, ${name}`,
  path: (sample: Sample) => `/audit?${filter(sample)}`,
  sql: `${AUDIT} ${where} ${AUDIT_END}`,
  values,
  list: 'events',
  key: 'event_id',
});
const jobs = (name: string, filter: (sample: Sample) => string, where: string, values: ReadRoute['values']) => ({
  name: `jobs, ${name}`,
  path: (sample: Sample) => `/jobs?${filter(sample)}`,
  sql: `${JOBS} ${where} order by j.created_at desc, j.job_id desc limit 101`,
  values,
  list: 'jobs',
  key: 'job_id',
});
const backups = (name: string, filter: (sample: Sample) => string, where: string, values: ReadRoute['values']) => ({
  name: `backups, ${name}`,
  path: (sample: Sample) => `/backup/list?${filter(sample)}`,
  sql: `${BACKUPS}, (select count(*) from backup b ${where}) total
    from backup b ${where} order by b.created_at desc, b.backup_id desc limit 101`,
  values,
  list: 'backups',
  key: 'backup_id',
});
const none = () => [];

/** Every list with every filter, and every detail. */
export const READ_ROUTES: readonly ReadRoute[] = [
  {
    name: 'VM contexts',
    path: () => '/vm-contexts',
    sql: `select *, (select count(*) from vm_context) total from vm_context order by vm_name, context_id limit 101`,
    values: none,
    list: 'vm_contexts',
    key: 'context_id',
  },
  {
    name: 'a VM context by name',
    path: ({ vm_name }) => `/vm-contexts/${vm_name}`,
    sql: 'select * from vm_context where context_id = $1 or vmware_vm_id = $1 or vm_name = $1',
    values: ({ vm_name }) => [vm_name],
  },
  {
    name: 'a VM context by id',
    path: ({ context_id }) => `/vm-contexts/by-id/${context_id}`,
    sql: 'select * from vm_context where context_id = $1',
    values: ({ context_id }) => [context_id],
  },
  backups('all', () => '', '', none),
  backups(
    'of a VM',
    ({ context_id }) => `vm_context_id=${context_id}`,
    'where b.vm_context_id = $1',
    ({ context_id }) => [context_id],
  ),
  backups(
    'of a VM by name',
    ({ vm_name }) => `vm_name=${vm_name}`,
    'where b.vm_context_id = (select context_id from vm_context where vm_name = $1)',
    ({ vm_name }) => [vm_name],
  ),
  backups(
    'of a repository',
    ({ repository_id }) => `repository_id=${repository_id}`,
    'where b.repository_id = $1',
    ({ repository_id }) => [repository_id],
  ),
  backups('failed', () => 'status=failed', `where b.status = 'failed'`, none),
  backups('increments', () => 'backup_type=incremental', `where b.backup_type = 'incremental'`, none),
  {
    name: 'a backup',
    path: ({ backup_id }) => `/backup/${backup_id}`,
    sql: `${BACKUPS} from backup b where b.backup_id = $1`,
    values: ({ backup_id }) => [backup_id],
  },
  {
    name: 'a chain',
    path: ({ context_id }) => `/backup/chain?vm_context_id=${context_id}`,
    sql: `select v.vm_name, b.* from vm_context v left join backup b on b.vm_context_id = v.context_id and b.status = 'completed'
      where v.context_id = $1 order by b.created_at, b.backup_id`,
    values: ({ context_id }) => [context_id],
  },
  jobs('all', () => '', '', none),
  jobs(
    'of a VM',
    ({ context_id }) => `vm_context_id=${context_id}`,
    'where j.vm_context_id = $1',
    ({ context_id }) => [context_id],
  ),
  jobs('running', () => 'status=running', `where j.status = 'running'`, none),
  jobs('mounts', () => 'job_type=restore_mount', `where j.job_type = 'restore_mount'`, none),
  {
    name: 'a job',
    path: ({ job_id }) => `/jobs/${job_id}`,
    sql: `${JOBS} where j.job_id = $1`,
    values: ({ job_id }) => [job_id],
  },
  audit('all', () => '', '', none),
  audit(
    'of an actor',
    ({ actor_id }) => `actor=${actor_id}`,
    'where a.actor_id = $1 or a.actor_id in (select user_id from app_user where username = $1)',
    ({ actor_id }) => [actor_id],
  ),
  audit('of a saga', () => 'actor=takebackup', `where a.actor_id = 'takebackup'`, none),
  audit('of a type', () => 'type=BackupCompleted', `where a.type = 'BackupCompleted'`, none),
  audit(
    'of a stream',
    ({ stream }) => `stream=${stream}`,
    'where a.stream = $1',
    ({ stream }) => [stream],
  ),
  audit(
    'of a request',
    ({ correlation_id }) => `correlation=${correlation_id}`,
    'where a.correlation_id = $1',
    ({ correlation_id }) => [correlation_id],
  ),
  audit(
    'of a time',
    ({ recorded_at, recorded_until }) => `from=${recorded_at}&to=${recorded_until}`,
    'where a.recorded_at >= $1 and a.recorded_at < $2',
    ({ recorded_at, recorded_until }) => [recorded_at, recorded_until],
  ),
  {
    name: 'repositories',
    path: () => '/repositories',
    sql: 'select * from repository order by name, repository_id limit 101',
    values: none,
  },
  {
    name: 'credentials',
    path: () => '/vmware-credentials',
    sql: `select c.*, u.usage_count, u.last_used, (select count(*) from credential) total
      from credential c left join credential_use u using (credential_id) order by credential_id limit 101`,
    values: none,
  },
  {
    name: 'open mounts',
    path: () => '/restore/mounts',
    sql: `select *, count(*) over () total from mount where status in ('mounting', 'mounted', 'unmounting')
      order by created_at desc, mount_id desc limit 101`,
    values: none,
    list: 'mounts',
    key: 'mount_id',
  },
  {
    name: 'users',
    path: () => '/users',
    sql: 'select *, (select count(*) from app_user) total from app_user order by username limit 101',
    values: none,
  },
  {
    name: 'projections',
    path: () => '/projections',
    sql: 'select p.*, h.position head from projection p, es.head h where p.live order by p.name',
    values: none,
  },
];
