import { join } from 'node:path';

import type { Lab } from '#lab/lab';

import type { ApiClient, Json } from './api-client.js';
import { eventually } from './eventually.js';

/** Everything that a backup of a lab's VM needs: a credential, a repository, the VM under OMA's care. */
export interface ProtectedVm {
  readonly contextId: string;
  readonly repositoryId: string;
  readonly repositoryPath: string;
  readonly credentialId: number;
}

let made = 0;

export async function protect(api: ApiClient, lab: Lab, vmName: string, folder: string): Promise<ProtectedVm> {
  made += 1;
  const { host, username, password, datacenter } = lab.vcenter;
  const credential = await api.post<{ credential: { id: number } }>('/vmware-credentials', {
    credential_name: `lab ${made}`,
    vcenter_host: host,
    username,
    password,
    datacenter,
  });
  const repositoryPath = join(folder, `repository-${made}`);
  const repository = await api.post<{ id: string }>('/repositories', {
    name: `repository ${made}`,
    type: 'local',
    config: { path: repositoryPath },
  });
  const credentialId = credential.body.credential.id;
  const added = await api.post<{ processed_vms: { context_id: string }[] }>('/discovery/add-vms', {
    credential_id: credentialId,
    vm_names: [vmName],
  });
  const contextId = added.body.processed_vms[0]?.context_id ?? '';
  return { contextId, repositoryId: repository.body.id, repositoryPath, credentialId };
}

/** Starts a full backup and answers its id. */
export async function startBackup(api: ApiClient, vm: ProtectedVm, more: Json = {}): Promise<string> {
  const { status, body } = await api.post('/backup/start', {
    vm_name: vm.contextId,
    backup_type: 'full',
    repository_id: vm.repositoryId,
    ...more,
  });
  if (status !== 202) throw new Error(`the backup was not started: ${JSON.stringify(body)}`);
  return String(body['backup_id']);
}

/** The job once it is over. */
export async function endOf(api: ApiClient, jobId: string, withinSeconds = 60, askEveryMs = 20): Promise<Json> {
  return eventually(
    async () => {
      const { body } = await api.get(`/jobs/${jobId}`);
      if (body['status'] === 'running') throw new Error(`the job is still running: ${String(body['current_step'])}`);
      return body;
    },
    withinSeconds,
    askEveryMs,
  );
}
