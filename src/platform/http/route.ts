import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum';
import type { Reflector } from '@nestjs/core';
import { RouteConfig } from '@nestjs/platform-fastify';

/** What the edge itself does for a route, beside calling its handler. */
export interface RouteTraits {
  /** Projections whose rows the answer is made of; null when the route doesn't say. */
  readonly reads: readonly string[] | null;
  /** Categories of the stream whose revision is the answer's `ETag`, and that `If-Match` speaks of. */
  readonly subject: readonly string[];
  /** True when the route makes a new thing: nothing of it can have been seen before. */
  readonly creates: boolean;
}

/** So long a request waits for read models. */
export const VISIBLE_WITHIN_MS = 1500;

export const ROUTE = 'oma:route';
const NO_TRAITS: RouteTraits = { reads: null, subject: [], creates: false };
export const HasTraits = (traits: RouteTraits) => SetMetadata(ROUTE, traits);

export function traitsOf(reflector: Reflector, context: ExecutionContext): RouteTraits {
  return reflector.get<RouteTraits | undefined>(ROUTE, context.getHandler()) ?? NO_TRAITS;
}

declare module 'fastify' {
  /** What Fastify knows of a route, also where Nest isn't asked; nothing where there is no route. */
  interface FastifyContextConfig {
    readonly takesBody?: boolean;
    readonly takesQuery?: boolean;
    readonly takesKey?: boolean;
  }
}

/**
 * Tells Fastify whether a route takes an `Idempotency-Key`, and whether it takes a body and a query, as its parameters say. Where it
 * `isLenient` there may be a query that nobody looks at.
 */
export function TellsFastify(says: { readonly takesKey: boolean; readonly isLenient: boolean }): MethodDecorator {
  return (target, name, descriptor) => {
    const parameters = (Reflect.getMetadata(ROUTE_ARGS_METADATA, target.constructor, name) ?? {}) as object;
    const takes = (type: RouteParamtypes) => Object.keys(parameters).some((key) => key.startsWith(`${type}:`));
    const takesBody = takes(RouteParamtypes.BODY);
    const takesQuery = says.isLenient || takes(RouteParamtypes.QUERY);
    RouteConfig({ takesBody, takesQuery, takesKey: says.takesKey })(target, name, descriptor);
  };
}
