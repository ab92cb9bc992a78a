/** What may be given as a handler, typed by the arguments that `onConnect` will get and by the delimiter it reads with. */
import type { IncomingMessage } from 'node:http';
import type { Hook } from '../connection/hook-list.js';
import type { Delimiter, EntireMessage, UnitOf } from '../dispatch/delimiter.js';
import type { ReadSettings } from '../dispatch/read-settings.js';
import type { WebSocketHandler } from './handler.js';

/** A class that extends `WebSocketHandler`, whose `onConnect` takes `Args`, and whose `onRead` takes what `D` gives it. */
export type HandlerClassFor<
  Args extends readonly unknown[],
  D extends Delimiter = typeof EntireMessage,
  Instance extends WebSocketHandler = WebSocketHandler,
> = new () => Instance & Connects<Args> & Reads<Instance, D>;

/**
 * The second is strict, as functions are and methods are not: a param that may be missing is not one that is always there. The
 * request may be declared as the framework's own.
 */
type Connects<Args extends readonly unknown[]> = { onConnect(...args: Args): unknown } & (Args extends readonly [
  infer Params,
  IncomingMessage,
]
  ? { onConnect: (params: Params, request: never) => unknown }
  : unknown);

/**
 * A delimiter that the class declares is the one it begins with; next comes the option. By default, and where its type is all
 * that a delimiter may be, the class may set whatever it likes in its hooks: there is nothing to hold `onRead` against.
 */
type Reads<Instance extends WebSocketHandler, D extends Delimiter> = Delimiter extends Instance['readDelimiter']
  ? D extends typeof EntireMessage
    ? unknown
    : { onRead(...data: UnitOf<D>): unknown }
  : { onRead(...data: UnitOf<Instance['readDelimiter']>): unknown };

/** The hooks of an object literal; see those of `WebSocketHandler`. */
export interface HandlerHooks<Args extends readonly unknown[], D extends Delimiter>
  extends Partial<Pick<WebSocketHandler, Exclude<Hook, 'onConnect' | 'onRead'>>>,
    Partial<Omit<ReadSettings, 'readDelimiter'>> {
  readDelimiter?: D;
  onConnect?(...args: Args): unknown;
  onRead?(...data: UnitOf<D>): unknown;
}

/** An object literal with hooks and whatever else it wants; `this` in it is the connection's handler. */
export type HandlerLiteral<Args extends readonly unknown[], D extends Delimiter, Extra> = Extra &
  HandlerHooks<Args, D> &
  NoFunction &
  ThisType<
    // The delimiter that the literal begins with does not bind what it may be set to; its context is what it says.
    WebSocketHandler & Omit<Extra, Exclude<keyof WebSocketHandler, 'context'>>
  >;

/** A class and a function are no literals, though all hooks are optional. Functions have this, and literals do not. */
interface NoFunction {
  readonly [Symbol.hasInstance]?: 'a handler is a class that extends WebSocketHandler, or an object with hooks';
}
