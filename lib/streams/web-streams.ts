/** A connection as a pair of web streams, like the WHATWG's `WebSocketStream`: one chunk per message, or unit. */
import { propertyOf } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { type Endpoint, send } from './endpoint.js';

export interface WebStreams<In, Out> {
  readonly readable: ReadableStream<In>;
  readonly writable: WritableStream<Out>;
}

export function toWebStreams<In, Out>(endpoint: Endpoint<In, Out>): WebStreams<In, Out> {
  const messages = endpoint.messages();
  const readable = new ReadableStream<In>(
    {
      async pull(controller) {
        const { done, value } = await messages.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel(reason: unknown) {
        endpoint.close(codeFor(reason));
        await messages.return?.();
      },
    },
    // Does not read ahead of the consumer: waiting data stays in the network.
    { highWaterMark: 0 },
  );
  const writable = new WritableStream<Out>({
    write: (chunk) => send(endpoint, chunk),
    close: () => endpoint.close(),
    abort: (reason: unknown) => endpoint.close(codeFor(reason)),
  });
  return { readable, writable };
}

/** Stopping without an error is a normal closure, like leaving a loop early; an error is one of this end. */
export function codeFor(reason: unknown): number {
  const isError = reason !== undefined && reason !== null && propertyOf(reason, 'name') !== 'AbortError';
  return isError ? CloseCode.INTERNAL_ERROR : CloseCode.NORMAL_CLOSURE;
}
