/** The types of handlers, by the arguments of `onConnect` and the delimiter they read with. */
import type { IncomingMessage } from 'node:http';
import type { Hook } from '../connection/hook-list.js';
import type { Delimiter, EntireMessage, UnitOf } from '../dispatch/delimiter.js';
import type { ReadSettings } from '../dispatch/read-settings.js';
import type { WebSocketHandler } from './handler.js';

/**
 * A class that extends `WebSocketHandler`, whose `onConnect` accepts `Args` and whose `onRead` accepts the units of
 * `D`.
 */
export type HandlerClassFor<
  Args extends readonly unknown[],
  D extends Delimiter = typeof EntireMessage,
  Instance extends WebSocketHandler = WebSocketHandler,
> = new () => Instance & Connects<Args> & Reads<Instance, D>;

/**
 * The second member is strict, as functions are and methods are not: a param that may be missing must be declared so.
 * The request may be declared as the framework's own type.
 */
type Connects<Args extends readonly unknown[]> = { onConnect(...args: Args): unknown } & (Args extends readonly [
  infer Params,
  IncomingMessage,
]
  ? { onConnect: (params: Params, request: never) => unknown }
  : unknown);

/**
 * The delimiter that the class declares comes first, then the option. With the default delimiter, or one declared as
 * `Delimiter`, the class may set any delimiter in its hooks, so `onRead` cannot be checked.
 */
type Reads<Instance extends WebSocketHandler, D extends Delimiter> = Delimiter extends Instance['readDelimiter']
  ? D extends typeof EntireMessage
    ? unknown
    : { onRead(...data: UnitOf<D>): unknown }
  : { onRead(...data: UnitOf<Instance['readDelimiter']>): unknown };

/** The hooks of an object literal; see `WebSocketHandler`. */
export interface HandlerHooks<Args extends readonly unknown[], D extends Delimiter>
  extends Partial<Pick<WebSocketHandler, Exclude<Hook, 'onConnect' | 'onRead'>>>,
    Partial<Omit<ReadSettings, 'readDelimiter'>> {
  readDelimiter?: D;
  onConnect?(...args: Args): unknown;
  onRead?(...data: UnitOf<D>): unknown;
}

/** An object literal with hooks and any other members; `this` in its methods is the handler of the connection. */
export type HandlerLiteral<Args extends readonly unknown[], D extends Delimiter, Extra> = Extra &
  HandlerHooks<Args, D> &
  NoFunction &
  ThisType<
    // The literal's initial delimiter does not restrict later ones, but its context has the type given.
    WebSocketHandler & Omit<Extra, Exclude<keyof WebSocketHandler, 'context'>>
  >;

/**
 * Excludes classes and functions, which would otherwise match because all hooks are optional. Functions have this
 * member, literals do not.
 */
interface NoFunction {
  readonly [Symbol.hasInstance]?: 'a handler is a class that extends WebSocketHandler, or an object with hooks';
}
