/** WebSocket routes as ordinary middleware. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { nameOnly } from '../argument-checks.js';
import type { Delimiter, EntireMessage } from '../dispatch/delimiter.js';
import { inspectValue, invalidArgument, invalidHandler, invalidPath } from '../errors.js';
import type { WebSocketHandler } from '../handler/handler.js';
import type { HandlerClassFor, HandlerLiteral } from '../handler/handler-types.js';
import {
  type ConnectionOptions,
  type Converter,
  type RouteOptions,
  resolveOptions,
  resolveRouteOptions,
} from '../handler/options/options.js';
import { accept, refuseHandshake } from '../handshake/handshake.js';
import { refuse } from '../handshake/refusal.js';
import { compilePlan, planFor, type RoutePlan } from '../handshake/route-plan.js';
import { logError } from '../log.js';
import { warnOfForeignListeners } from './foreign-listeners.js';
import { compilePath, pathnameOf } from './path.js';
import type { ConvertedParams, ParamsOf } from './path-types.js';

/** Middleware for Express and Connect, and a listener for `http.createServer`. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void) => void;

type Converters = Readonly<Record<string, Converter>>;
type OptionsWith<D extends Delimiter, P extends string | readonly string[], C> = Omit<RouteOptions<D>, 'convert'> & {
  convert?: (C & Converters & NoOthers<P, C>) | undefined;
};
/** A converter name that is not a param of the path gets a type that no converter matches, with an explanation. */
type NoOthers<P extends string | readonly string[], C> = {
  readonly [K in OtherNames<P, C>]: `the path has no param ${K & string}`;
};
type OtherNames<P extends string | readonly string[] | undefined, C> = string extends keyof C
  ? never
  : Exclude<keyof C, NameIn<ParamsOf<P>>>;
/** Distributes over several paths. */
type NameIn<Params> = Params extends unknown ? keyof Params : never;
type RouteArgs<P extends string | readonly string[] | undefined, C> = [
  params: ConvertedParams<P, C>,
  request: IncomingMessage,
];
/** If the type checker does not know the path, or the router defines it, a class may expect any params. */
type ClassArgs<P extends string | readonly string[] | undefined, C> = string extends keyof ConvertedParams<P, C>
  ? AnyParams
  : // If a converter name is wrong, the error should not point at the class.
    [OtherNames<P, C>] extends [never]
    ? RouteArgs<P, C>
    : AnyParams;
type AnyParams = [params: never, request: IncomingMessage];

/**
 * Creates a WebSocket route. Mount it like any other middleware: middleware mounted before the route runs before the
 * handshake, and the headers it sets are sent with the 101.
 *
 * Requests that do not match the path go on to the next middleware. Others are answered: with 101, or with 426 (not a
 * WebSocket handshake, or an unsupported version), 405 (not a GET), 400 (malformed), 403 (refused by the origin check
 * or by `onHandshake`) or 500 (`onHandshake` threw).
 *
 * @param path as in Express 5: `/ws/:name`, `/files/*path`, `/ws{/:room}`; without a path the route serves every
 *   request. Express does not know this path: functions of `app.param` run only for paths of Express, as in
 *   `app.get('/ws/:id', websocketRoute(Handler))`
 * @param handler a class that extends `WebSocketHandler`, or an object with its hooks
 * @throws TypeError for a malformed path, an unknown option or an invalid value
 * @example
 * app.use(websocketRoute('/ws/:id', Player, { convert: { id: toInteger } }));
 * @example
 * http.createServer(websocketRoute({ onRead(data) { this.write(data); } })).listen(8080);
 */
export function websocketRoute<
  const D extends Delimiter = typeof EntireMessage,
  Extra = unknown,
  Instance extends WebSocketHandler = WebSocketHandler,
>(
  handler: HandlerClassFor<AnyParams, D, Instance> | HandlerLiteral<RouteArgs<string, Record<never, never>>, D, Extra>,
  options?: ConnectionOptions<D>,
): Middleware;
// The overload with a path comes last, because the compiler explains the last one if none fits.
export function websocketRoute<
  const P extends string | readonly string[],
  const C extends Converters = Record<never, never>,
  const D extends Delimiter = typeof EntireMessage,
  Extra = unknown,
  Instance extends WebSocketHandler = WebSocketHandler,
>(
  path: P,
  handler: HandlerClassFor<ClassArgs<P, C>, D, Instance> | HandlerLiteral<RouteArgs<P, C>, D, Extra>,
  options?: OptionsWith<D, P, C>,
): Middleware;
export function websocketRoute(...args: readonly unknown[]): Middleware {
  if (args[0] instanceof RegExp) {
    const remedy = "write '/chat{/*rest}', or mount it: app.use(/^\\/chat/, websocketRoute(handler))";
    throw invalidPath('path', args[0], `a RegExp is not supported as a path: ${remedy}`);
  }
  const hasPath = typeof args[0] === 'string' || Array.isArray(args[0]);
  const [path, handler, options = {}, ...rest] = hasPath ? args : [undefined, ...args];
  if (rest.length > 0) {
    throw invalidArgument(
      'the last argument',
      nameOnly(rest[0]),
      'options are one object, and come last: (path, handler, options)',
    );
  }
  return hasPath
    ? pathRoute(path as string | readonly string[], handler, options as RouteOptions)
    : anyPathRoute(compilePlan(handler, resolveOptions(options as ConnectionOptions)));
}

function pathRoute(path: string | readonly string[], handler: unknown, options: RouteOptions): Middleware {
  const plan = compilePlan(handler, resolveRouteOptions(options), String(path));
  const { convert, caseSensitive = false, strict = false } = options;
  const match = compilePath(path, { convert, caseSensitive, strict });
  return (request, response, next) => {
    warnOfForeignListeners(request, plan.settings.route);
    const pathname = pathnameOf(request);
    let params: ReturnType<typeof match>;
    try {
      params = pathname === undefined ? undefined : match(pathname);
    } catch (error) {
      // A converter threw. Without a framework to catch the error, any peer could end the process.
      if (next !== undefined) return next(errorFor(error, plan.settings.name));
      logError(`a converter of ${plan.settings.name}`, error, plan.settings.log);
      return refuseHandshake(plan, request, response, refuse(500, 'error', 'The handshake failed.'));
    }
    if (params === 'malformed') {
      refuseHandshake(plan, request, response, refuse(400, 'path', 'The path is not percent-encoded UTF-8.'));
    } else if (params !== undefined) answer(plan, request, response, [params, request]);
    else if (next !== undefined) next();
    else refuseHandshake(plan, request, response, refuse(404, 'path', 'No WebSocket is served at this path.'));
  };
}

/**
 * Makes a thrown value safe to pass to a framework. Express would continue without an error for `undefined` and
 * `'route'`, and its logging would end the process for a value that cannot be inspected.
 */
function errorFor(error: unknown, name: string): unknown {
  return isErrorOfExpress(error) ? error : new Error(`a converter of ${name} threw ${inspectValue(error)}`);
}

const READ_BY_EXPRESS = ['status', 'statusCode', 'headers', 'stack', 'message', 'name', 'code', 'cause'];

function isErrorOfExpress(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  try {
    for (const name of READ_BY_EXPRESS) Reflect.get(error, name);
    return inspect(error) !== '' && String(error) !== '';
  } catch {
    return false;
  }
}

/** Serves every request that reaches it, with the params of the router in front. */
function anyPathRoute(plan: RoutePlan): Middleware {
  return (request, response) => {
    warnOfForeignListeners(request, plan.settings.route);
    const params: unknown = Reflect.get(request, 'params') ?? {};
    answer(plan, request, response, [params, request]);
  };
}

/**
 * Answers a single request as `websocketRoute` would, from any Express handler or `http.createServer` listener.
 *
 * @param args the arguments of `onConnect`
 * @throws TypeError as `websocketRoute`
 * @example
 * app.get('/rooms/:room', (req, res) => acceptWebSocket(req, res, Room, {}, rooms.get(req.params.room)));
 */
export function acceptWebSocket<
  const Args extends readonly unknown[],
  const D extends Delimiter = typeof EntireMessage,
  Extra = unknown,
  Instance extends WebSocketHandler = WebSocketHandler,
>(
  request: IncomingMessage,
  response: ServerResponse,
  handler: HandlerClassFor<Args, D, Instance> | HandlerLiteral<Args, D, Extra>,
  options?: ConnectionOptions<D>,
  ...args: Args
): void;
export function acceptWebSocket(
  request: IncomingMessage,
  response: ServerResponse,
  handler: object,
  options?: ConnectionOptions,
  ...args: readonly unknown[]
): void {
  if ((typeof handler !== 'object' && typeof handler !== 'function') || handler === null) {
    const rule = 'it must be a class that extends WebSocketHandler, or an object of hooks; it comes third';
    throw invalidHandler('handler', handler, rule);
  }
  const plan = planFor(handler, options);
  answer(plan, request, response, args);
  warnOfForeignListeners(request, plan.settings.route);
}

const OF_A_REQUEST = ['headers', 'socket'];
const OF_A_SOCKET = ['once', 'destroy'];
const OF_A_RESPONSE = ['setHeader', 'getHeaderNames', 'removeHeader', 'end'];

/** @throws TypeError where there is nothing to answer, or nothing to answer by: without a server nobody would catch a rejection */
function answer(plan: RoutePlan, request: IncomingMessage, response: ServerResponse, args: readonly unknown[]): void {
  if (!has(request, 'object', OF_A_REQUEST) || !has(request.socket, 'function', OF_A_SOCKET)) {
    throw invalidArgument('request', nameOnly(request), 'it must be the request that the server got, with its socket');
  }
  if (!has(response, 'function', OF_A_RESPONSE)) {
    throw invalidArgument('response', nameOnly(response), 'it must be the response that belongs to the request');
  }
  accept(plan, request, response, args);
}

function has(value: unknown, type: 'object' | 'function', names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  for (const name of names) {
    const member: unknown = Reflect.get(value, name);
    if (typeof member !== type || member === null) return false;
  }
  return true;
}
