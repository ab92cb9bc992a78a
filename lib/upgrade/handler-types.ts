/** What may be given as a handler, typed by the arguments that `onConnect` will get and by the delimiter it reads with. */
import type { IncomingMessage } from 'node:http';
import type { HookName } from '../connection/hooks.js';
import type { Delimiter, UnitOf } from '../dispatch/delimiter.js';
import type { OverflowError } from '../errors.js';
import type { WebSocketHandler } from '../handler.js';
import type { Refusal, ResponseHeaders } from '../options.js';

/** A class that extends `WebSocketHandler` and whose `onConnect` takes `Args`. */
export type HandlerClassFor<Args extends readonly unknown[]> = new () => WebSocketHandler & {
  onConnect(...args: Args): unknown;
};

/** The hooks of an object literal; see those of `WebSocketHandler`. */
export interface HandlerHooks<Args extends readonly unknown[], D extends Delimiter> {
  readDelimiter?: D;
  regexSearch?: boolean;
  bufferSize?: number;
  onHandshake?(request: IncomingMessage, headers: ResponseHeaders): boolean | Refusal | Promise<boolean | Refusal>;
  onConnect?(...args: Args): unknown;
  onRead?(...data: UnitOf<D>): unknown;
  onWrite?(): unknown;
  onPong?(answer: number | Buffer): unknown;
  onClose?(code: number, reason: string, wasClean: boolean): unknown;
  onOverflowError?(error: OverflowError): unknown;
  onError?(error: unknown, hook: HookName): unknown;
}

/** An object literal with hooks and whatever else it wants; `this` in it is the connection's handler. */
export type HandlerLiteral<Args extends readonly unknown[], D extends Delimiter, Extra> = Extra &
  HandlerHooks<Args, D> & { /** A class is no literal, though all hooks are optional. */ prototype?: never } & ThisType<
    // The delimiter that the literal begins with does not bind what it may be set to.
    WebSocketHandler & Omit<Extra, keyof WebSocketHandler>
  >;
