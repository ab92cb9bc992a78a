/** The types that a handler declares, in `extends WebSocketHandler<{ … }>`, and those of its members that follow from them. */
import type { IncomingMessage } from 'node:http';
import type { Delimiter, EntireMessage, UnitOf } from '../dispatch/delimiter.js';

/**
 * What a handler is typed by, in `extends WebSocketHandler<{ … }>`. Whatever is left out is not checked.
 *
 * @example
 * class Player extends WebSocketHandler<{ params: { id: number }; context: { user: User } }> {}
 */
export interface HandlerTypes {
  /** The params of its route: what `onConnect` gets first. */
  params?: object;
  /** Instead of `params`, of a handler for `acceptWebSocket`: all that `onConnect` gets. */
  args?: readonly unknown[];
  /** What `onHandshake` hands on, as `this.context`. */
  context?: unknown;
  /** What it reads with, from the beginning on: gives `onRead` and `messages()` their types. */
  delimiter?: Delimiter;
}

/** The arguments of `onConnect`. With a member that `HandlerTypes` does not have they are such that no route gives them. */
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

/** The delimiter that is read with, as far as that is known. */
export type DelimiterOf<T extends HandlerTypes> = T extends { delimiter: infer D extends Delimiter }
  ? D
  : typeof EntireMessage;

/** A delimiter as an argument: it may be left out only where the handler declares it. */
export type BackedBy<Declared, D> = [Declared] extends [D] ? [readDelimiter?: D] : [readDelimiter: D];

/** What `messages()` gives: an async iterator that is iterable itself, as `for await` wants it. */
export interface MessageIterator<M> extends AsyncIterator<M, undefined, undefined> {
  next(): Promise<IteratorResult<M, undefined>>;
  /** Leaves: what comes later goes to `onRead` again. */
  return(): Promise<IteratorResult<M, undefined>>;
  [Symbol.asyncIterator](): MessageIterator<M>;
}
