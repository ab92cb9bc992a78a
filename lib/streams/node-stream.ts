/** A connection as a Node stream in object mode: one object per message, or unit. */
import { Duplex } from 'node:stream';
import { type Endpoint, send } from './endpoint.js';
import { codeFor } from './web-streams.js';

export function toDuplex<In, Out>(endpoint: Endpoint<In, Out>): Duplex {
  const messages = endpoint.messages();
  const duplex = new Duplex({
    objectMode: true,
    // Does not read ahead of the consumer: waiting data stays in the network.
    readableHighWaterMark: 1,
    writableHighWaterMark: 1,
    read() {
      messages.next().then(
        ({ done, value }) => this.push(done ? null : value),
        (error: Error) => this.destroy(error),
      );
    },
    write(chunk: Out, _encoding, callback) {
      send(endpoint, chunk).then(() => callback(), callback);
    },
    final(callback) {
      endpoint.close();
      callback();
    },
    destroy(error, callback) {
      endpoint.close(codeFor(error));
      void messages.return?.();
      callback(error);
    },
  });
  // Without a listener, as with a bare `pipe`, any client could end the process with an error by disconnecting.
  duplex.on('error', (error) => {
    if (duplex.listenerCount('error') === 1) endpoint.unheard(error);
  });
  return duplex;
}
