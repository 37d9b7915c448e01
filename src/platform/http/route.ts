import { SetMetadata } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum';
import { RouteConfig } from '@nestjs/platform-fastify';

/** What the edge itself does for a route, beside calling its handler. */
export interface RouteTraits {
  /** Projections whose rows the answer is made of; null when the route doesn't say. */
  readonly reads: readonly string[] | null;
  /** Categories of the stream whose revision is the answer's `ETag`, and that `If-Match` speaks of. */
  readonly subject: readonly string[];
  /** True when the route makes that stream: nothing of it can have been seen before. */
  readonly creates: boolean;
}

export const ROUTE = 'oma:route';
export const HasTraits = (traits: RouteTraits) => SetMetadata(ROUTE, traits);

declare module 'fastify' {
  /** What Fastify knows of a route, also where Nest isn't asked; nothing where there is no route. */
  interface FastifyContextConfig {
    readonly takesBody?: boolean;
    readonly takesKey?: boolean;
  }
}

/** Tells Fastify whether a route takes an `Idempotency-Key`, and whether it takes a body, as its parameters say. */
export function TellsFastify({ takesKey }: { readonly takesKey: boolean }): MethodDecorator {
  return (target, name, descriptor) => {
    const parameters = (Reflect.getMetadata(ROUTE_ARGS_METADATA, target.constructor, name) ?? {}) as object;
    const takesBody = Object.keys(parameters).some((key) => key.startsWith(`${RouteParamtypes.BODY}:`));
    RouteConfig({ takesBody, takesKey })(target, name, descriptor);
  };
}

const SAFE = ['GET', 'HEAD', 'OPTIONS'];

/** Whether a request only looks. */
export function isSafe(request: { readonly method: string }): boolean {
  return SAFE.includes(request.method);
}
