/** Express, one route, and nothing of a WebSocket but the 101: what a handshake through Express costs at the least. */
import { createHash } from 'node:crypto';
import { createServer, ServerResponse } from 'node:http';
import express from 'express';
import { announce } from './announce.mjs';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const app = express();
app.use((request, _response, next) => {
  if (request.url !== '/echo') return next();
  const { socket } = request;
  const key = request.headers['sec-websocket-key'];
  socket.on('error', () => {});
  socket.on('data', () => {});
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ' +
      `${createHash('sha1')
        .update(key + GUID)
        .digest('base64')}\r\n\r\n`,
  );
});
const server = createServer(app);
server.on('upgrade', (request) => app(request, new ServerResponse(request)));
announce(server.listen(0, '127.0.0.1'));
