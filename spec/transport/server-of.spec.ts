import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { serverOf } from '../../lib/transport/server-of.js';

it('the server of a socket is the one that the socket names', () => {
  const socket = new Socket();
  expect(serverOf(socket)).toBeUndefined();
  const server = createServer();
  Reflect.set(socket, 'server', server);
  expect(serverOf(socket)).toBe(server);
});
