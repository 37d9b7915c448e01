import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { buildFleet, type BuiltVm } from './guests/built-fleet.js';
import { DATACENTER, FLEET, type GuestVm } from './guests/fleet.js';
import { type Guest, guestOf } from './guests/guest.js';
import type { TrackedDisk } from './guests/tracked-disk.js';
import { answerLabDoor } from './lab-door.js';
import { LegacyContacts } from './oma/legacy-contacts.js';
import { ModernContacts } from './oma/modern-contacts.js';
import { OmaDoor } from './oma/oma-door.js';
import type { AgentKind } from './vma/agent.js';
import { AgentServer } from './vma/agent-server.js';
import type { MisbehaviourSettings } from './vma/misbehaviour.js';
import { Vcenter } from './vma/vcenter.js';

const VCENTER_HOST = 'vcenter.lab.example';
const VCENTER_USERNAME = 'administrator@vsphere.local';

/** A running lab: a vCenter with a few VMs whose disks are files, and the agent beside it. */
export interface Lab {
  /** Where the agent serves, without `/api/v1`. */
  readonly url: string;
  readonly vcenter: {
    readonly host: string;
    readonly username: string;
    readonly password: string;
    readonly datacenter: string;
  };
  /** As they are now: a disk may have been resized. */
  readonly vms: readonly LabVm[];
  /** Throws when there is no such disk. */
  guest(vmPath: string, deviceKey: number): Guest;
  /** By which OMA knows the agent; the same at every start in one folder, unless one was given. */
  readonly agentToken: string;
  /** From now on the agent tells OMA what it does; the URL is the one without `/api/v1`, the token the agent's own unless given. */
  connect(omaUrl: string, agentToken?: string): void;
  /** Replaces the agent's misbehaviour; `{}` ends it. */
  misbehave(settings: MisbehaviourSettings): void;
  /** Ends all copies and connections; the disks stay. */
  stop(): Promise<void>;
}

export interface LabVm {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly disks: readonly {
    readonly deviceKey: number;
    readonly file: string;
    readonly sizeBytes: number;
    readonly manifestFile: string;
  }[];
}

/** Builds the disks in `dir`, unless they are there, and serves; port 0 means any free one. */
export async function startLab(options: {
  readonly dir: string;
  readonly port: number;
  readonly vcenterPassword?: string;
  /** Of a second lab beside this one. In lower case. */
  readonly vcenterHost?: string;
  /** The VMs instead of the lab's own. */
  readonly vms?: readonly GuestVm[];
  /** `modern` when nothing is said. */
  readonly agentKind?: AgentKind;
  /** Where OMA serves, without `/api/v1`; the agent tells nobody anything before it knows. */
  readonly omaUrl?: string;
  readonly agentToken?: string;
}): Promise<Lab> {
  const built = await buildFleet(options.dir, options.vms ?? FLEET);
  const vms = () => built.map(labVm);
  const password = options.vcenterPassword ?? (await keptSecret(options.dir, 'vcenter-password'));
  const agentToken = options.agentToken ?? (await keptSecret(options.dir, 'agent-token'));
  const host = options.vcenterHost ?? VCENTER_HOST;
  const vcenter = { host, username: VCENTER_USERNAME, password, datacenter: DATACENTER };
  const kind = options.agentKind ?? 'modern';
  const oma = new OmaDoor(() => server.misbehaviour.isGone);
  const connect = (omaUrl: string, token = agentToken) => {
    oma.connect(omaUrl, token);
  };
  if (options.omaUrl !== undefined) connect(options.omaUrl);
  const guest = (vmPath: string, deviceKey: number) => guestOf(diskOf(built, vmPath, deviceKey));
  const server: AgentServer = new AgentServer(
    kind,
    new Vcenter(vcenter, built),
    (misbehaviour) =>
      kind === 'modern' ? new ModernContacts(oma, misbehaviour) : new LegacyContacts(oma, misbehaviour),
    () => factsOf({ vcenter, vms: vms() }),
    (route, body) => answerLabDoor({ guest, connect }, route, body),
  );
  const url = await server.listen(options.port);
  return {
    url,
    vcenter,
    get vms() {
      return vms();
    },
    guest,
    agentToken,
    connect,
    misbehave: (settings) => {
      server.misbehaviour.replace(settings);
    },
    stop: () => server.close(),
  };
}

function diskOf(vms: readonly BuiltVm[], vmPath: string, deviceKey: number): TrackedDisk {
  const disk = vms.find(({ path }) => path === vmPath)?.disks.find((one) => one.deviceKey === deviceKey);
  if (disk === undefined) throw new Error(`there is no disk ${deviceKey} of ${vmPath}`);
  return disk;
}

/** The same at every start in one folder, so that what OMA stored earlier goes on working. */
async function keptSecret(dir: string, name: string): Promise<string> {
  const file = join(dir, name);
  const made = `${randomBytes(18).toString('base64url')}\n`;
  await writeFile(file, made, { mode: 0o600, flag: 'wx' }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  return (await readFile(file, 'utf8')).trim();
}

/** What may be told about a lab: everything but the password. */
export interface LabFacts {
  readonly vcenter: Omit<Lab['vcenter'], 'password'>;
  readonly vms: readonly LabVm[];
}

/** The facts beside the address, which is known only when the lab serves. */
export function factsOf({ vcenter, vms }: Pick<Lab, 'vcenter' | 'vms'>): LabFacts {
  const { host, username, datacenter } = vcenter;
  return { vcenter: { host, username, datacenter }, vms };
}

function labVm({ id, name, path, disks }: BuiltVm): LabVm {
  return {
    id,
    name,
    path,
    disks: disks.map(({ deviceKey, file, sizeBytes, manifestFile }) => ({ deviceKey, file, sizeBytes, manifestFile })),
  };
}
