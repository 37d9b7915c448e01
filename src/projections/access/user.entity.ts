import { ViewColumn, ViewEntity } from 'typeorm';

/** Somebody who may log in. */
@ViewEntity({ name: 'app_user', synchronize: false })
export class UserRow {
  @ViewColumn({ name: 'user_id' })
  readonly userId: string;

  @ViewColumn()
  readonly username: string;

  @ViewColumn()
  readonly role: string;

  @ViewColumn({ name: 'created_at' })
  readonly createdAt: Date;
}
