/** Sends bytes in pieces that the server reads one by one, since it is given a turn of the event loop for each. */
import type { RawClient } from '../support/raw-client.js';

export async function drip({ socket }: RawClient, bytes: Uint8Array, size = 1): Promise<void> {
  for (let at = 0; at < bytes.length; at += size) {
    socket.write(bytes.subarray(at, at + size));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
