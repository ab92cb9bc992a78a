/** A connection as a Node stream in object mode: one object is one message, or unit. */
import { Duplex } from 'node:stream';
import { type Endpoint, send } from './endpoint.js';
import { codeFor } from './web-streams.js';

export function toDuplex<In, Out>(endpoint: Endpoint<In, Out>): Duplex {
  const messages = endpoint.messages();
  const duplex = new Duplex({
    objectMode: true,
    // Nothing is read ahead of who asks: what waits, waits in the network.
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
  // Where nobody listens, as with a bare `pipe`, an error would end the process: any client could, by leaving.
  duplex.on('error', (error) => {
    if (duplex.listenerCount('error') === 1) endpoint.unheard(error);
  });
  return duplex;
}
