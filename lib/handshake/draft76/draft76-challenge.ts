/** Answers the challenge of draft-76: eight bytes that follow the request's headers. */
import type { IncomingMessage } from 'node:http';
import { takeBytes } from '../socket/take-bytes.js';
import { challengeResponse } from './draft76.js';

/**
 * Sends the answer, or destroys the socket.
 *
 * @param head the data received after the headers
 * @param timeout how long to wait for the rest of the eight bytes, in milliseconds
 * @returns the data after them; undefined if there will be no connection
 */
export async function answerChallenge(
  request: IncomingMessage,
  head: Buffer,
  timeout: number,
): Promise<Buffer | undefined> {
  const { socket } = request;
  const taken = await takeBytes(socket, head, 8, timeout);
  const key1 = request.headers['sec-websocket-key1'];
  const key2 = request.headers['sec-websocket-key2'];
  const response =
    taken && typeof key1 === 'string' && typeof key2 === 'string'
      ? challengeResponse(key1, key2, taken.bytes)
      : undefined;
  if (taken === undefined || response === undefined || socket.destroyed) {
    socket.destroy();
    return undefined;
  }
  socket.write(response);
  return taken.rest;
}
