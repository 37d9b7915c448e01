import type { UserEvent } from '#domain/access/user';
import type { Projection } from '#domain/kernel/projection';

export type UserRecord = {
  user_id: string;
  username: string;
  role: string;
  created_at: string;
};

export const userProjection: Projection<UserRecord> = {
  name: 'app_user',
  version: 1,
  table: {
    key: 'user_id',
    columns: { user_id: 'text', username: 'text', role: 'text', created_at: 'timestamptz' },
    indexes: [['username']],
  },
  handles: ['UserCreated'],
  keysOf: (event) => [(event as unknown as UserEvent).data.userId],
  evolve: (row, stored) => {
    const event = stored as unknown as UserEvent;
    if (event.type !== 'UserCreated') return row;
    const { userId, username, role } = event.data;
    return { user_id: userId, username, role, created_at: stored.recordedAt.toISOString() };
  },
};
