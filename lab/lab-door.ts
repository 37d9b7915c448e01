import { z } from 'zod';

import type { Guest } from './guests/guest.js';
import { Refusal } from './vma/refusal.js';
import { understood } from './vma/understood.js';

const disk = { vm_path: z.string(), device_key: z.int() };
const position = z.int().nonnegative();
const bytes = z.base64().transform((text) => Buffer.from(text, 'base64'));
const extent = { ...disk, offset: position, length: position };

const guestOrder = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('write'), ...disk, offset: position, base64: bytes }),
  z.strictObject({ action: z.literal('zero'), ...extent }),
  z.strictObject({ action: z.literal('discard'), ...extent }),
  z.strictObject({ action: z.literal('resize'), ...disk, size_bytes: position }),
  z.strictObject({ action: z.literal('snapshot-copy'), ...disk, to_file: z.string().min(1) }),
  z.strictObject({
    action: z.literal('change-files'),
    ...disk,
    write: z.record(z.string(), bytes).default({}),
    remove: z.array(z.string()).default([]),
  }),
  z.strictObject({ action: z.literal('reset-tracking'), ...disk }),
  z.strictObject({ action: z.literal('tracking'), ...disk, on: z.boolean() }),
]);
const omaAddress = z.strictObject({ oma_url: z.url(), agent_token: z.string().min(1).optional() });

/** What scripts may ask of a running lab, beside its misbehaviour. */
export interface LabControls {
  guest(vmPath: string, deviceKey: number): Guest;
  connect(omaUrl: string, agentToken?: string): void;
}

/** Does what is asked for at `POST /lab/guest/<action>` and `POST /lab/connect`. Throws the refusal. */
export async function answerLabDoor(controls: LabControls, route: string, body: unknown): Promise<object> {
  if (route === 'POST /lab/connect') {
    const { oma_url, agent_token } = understood(omaAddress, body);
    controls.connect(oma_url, agent_token);
    return {};
  }
  const [, action] = /^POST \/lab\/guest\/([a-z-]+)$/.exec(route) ?? [];
  if (action === undefined) throw new Refusal(404, '404 page not found');
  const order = understood(guestOrder, { ...(typeof body === 'object' ? body : {}), action });
  try {
    await obey(controls.guest(order.vm_path, order.device_key), order);
  } catch (error) {
    throw new Refusal(400, error instanceof Error ? error.message : String(error));
  }
  return {};
}

function obey(guest: Guest, order: z.infer<typeof guestOrder>): Promise<void> {
  switch (order.action) {
    case 'write':
      return guest.write(order.offset, order.base64);
    case 'zero':
      return guest.zero(order.offset, order.length);
    case 'discard':
      return guest.discard(order.offset, order.length);
    case 'resize':
      return guest.resize(order.size_bytes);
    case 'snapshot-copy':
      return guest.snapshotCopy(order.to_file);
    case 'change-files':
      return guest.changeFiles(order);
    case 'reset-tracking':
      return guest.resetTracking();
    case 'tracking':
      return guest.tracking(order.on);
  }
}
