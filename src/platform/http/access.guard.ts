import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';

import { ACCESS, type Access, type Principal, RECENT_TOKEN, suffices } from './access.js';
import { AgentTokens } from './agent-tokens.port.js';
import { RoleDoesNotSuffice, Unauthenticated } from './edge.errors.js';
import { Sessions } from './sessions.port.js';

/** Lets in whom the route declares; a route that declares nobody is closed. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly sessions: Sessions,
    private readonly agents: AgentTokens,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.reflector.get<Access | undefined>(ACCESS, context.getHandler());
    if (access === undefined) throw new Error(`${context.getHandler().name} declares no access`);
    if (access === 'public') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const token = bearerToken(request);
    const takesRecent = this.reflector.get<boolean | undefined>(RECENT_TOKEN, context.getHandler()) ?? false;
    const principal = token === null ? null : await this.principalOf(token, takesRecent);
    if (principal === null) throw new Unauthenticated();
    if (!suffices(principal.role, access)) throw new RoleDoesNotSuffice(principal.role, access);
    request.principal = principal;
    return true;
  }

  private async principalOf(token: string, takesRecent: boolean): Promise<Principal | null> {
    const agent = this.agents.principalOf(token);
    if (agent !== null) return agent;
    return takesRecent ? this.sessions.recentPrincipalOf(token) : this.sessions.principalOf(token);
  }
}

/** The token of the `Authorization` header (RFC 6750); the scheme's case says nothing. */
export function bearerToken(request: FastifyRequest): string | null {
  return /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
}
