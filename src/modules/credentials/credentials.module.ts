import { Module } from '@nestjs/common';

import { CreateCredentialHandler } from './create-credential/create-credential.handler.js';
import { CredentialsController } from './credentials.controller.js';
import { ListCredentialsHandler } from './list-credentials/list-credentials.handler.js';

@Module({
  controllers: [CredentialsController],
  providers: [CreateCredentialHandler, ListCredentialsHandler],
})
export class CredentialsModule {}
