import type { Socket } from 'node:net';
import { clockOf } from '../../transport/clock.js';

/** The first `count` bytes after the headers and the rest, or undefined if the peer disconnects or takes too long. */
export function takeBytes(
  socket: Socket,
  head: Buffer,
  count: number,
  timeout: number,
): Promise<{ bytes: Buffer; rest: Buffer } | undefined> {
  const enough = (got: Buffer): { bytes: Buffer; rest: Buffer } => ({
    bytes: got.subarray(0, count),
    rest: got.subarray(count),
  });
  if (head.length >= count) return Promise.resolve(enough(head));
  return new Promise((resolve) => {
    let got = head;
    const finish = (result: { bytes: Buffer; rest: Buffer } | undefined): void => {
      cancel();
      socket.removeListener('readable', onReadable);
      socket.removeListener('end', onClose);
      socket.removeListener('close', onClose);
      resolve(result);
    };
    const onReadable = (): void => {
      const chunk: unknown = socket.read();
      if (Buffer.isBuffer(chunk)) got = Buffer.concat([got, chunk]);
      if (got.length >= count) finish(enough(got));
    };
    const onClose = (): void => finish(undefined);
    const cancel = clockOf(socket).after(timeout, onClose);
    socket.on('readable', onReadable);
    socket.on('end', onClose);
    socket.on('close', onClose);
  });
}
