/** The type parameter of `WebSocketHandler<{ … }>`, and the member types derived from it. */
import type { IncomingMessage } from 'node:http';
import type { Delimiter, EntireMessage, UnitOf } from '../dispatch/delimiter.js';

/**
 * The type parameter of `WebSocketHandler<{ … }>`. Members you leave out are not checked.
 *
 * @example
 * class Player extends WebSocketHandler<{ params: { id: number }; context: { user: User } }> {}
 */
export interface HandlerTypes {
  /** The params of the route: the first argument of `onConnect`. */
  params?: object;
  /** For `acceptWebSocket`, instead of `params`: all arguments of `onConnect`. */
  args?: readonly unknown[];
  /** The type of `this.context`, which `onHandshake` assigns. */
  context?: unknown;
  /** The initial `readDelimiter`: determines the types of `onRead` and `messages()`. */
  delimiter?: Delimiter;
}

/**
 * The arguments of `onConnect`. A misspelt member of `HandlerTypes` produces arguments that no route passes, so that
 * it does not compile.
 */
export type ConnectArgs<T extends HandlerTypes> = [Exclude<keyof T, keyof HandlerTypes>] extends [never]
  ? KnownArgs<T>
  : [misspelt: Misspelt<Exclude<keyof T, keyof HandlerTypes>>, Misspelt<Exclude<keyof T, keyof HandlerTypes>>];
type Misspelt<Name> = `HandlerTypes has no ${Name & string}`;
type KnownArgs<T extends HandlerTypes> = T extends { args: infer A extends readonly unknown[] }
  ? A
  : T extends { params: infer P }
    ? [params: P, request: IncomingMessage]
    : unknown[];

/** The arguments of `onRead`. */
export type ReadArgs<T extends HandlerTypes> = T extends { delimiter: infer D } ? UnitOf<D> : unknown[];

/** The type of `context`. */
export type ContextOf<T extends HandlerTypes> = T extends { context: infer C } ? C : unknown;

/** The declared delimiter, or `EntireMessage`. */
export type DelimiterOf<T extends HandlerTypes> = T extends { delimiter: infer D extends Delimiter }
  ? D
  : typeof EntireMessage;

/** A delimiter argument that may be omitted only if the handler declares it. */
export type BackedBy<Declared, D> = [Declared] extends [D] ? [readDelimiter?: D] : [readDelimiter: D];

/** The result of `messages()`: an async iterator that is itself iterable, for `for await`. */
export interface MessageIterator<M> extends AsyncIterator<M, undefined, undefined> {
  next(): Promise<IteratorResult<M, undefined>>;
  /** Stops iterating: later units go to `onRead` again. */
  return(): Promise<IteratorResult<M, undefined>>;
  [Symbol.asyncIterator](): MessageIterator<M>;
}
