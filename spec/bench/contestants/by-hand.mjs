/**
 * Express, one route, and nothing of a WebSocket but the 101, and the same for each close frame: what a handshake through Express
 * costs at the least.
 */
import { createServer, ServerResponse } from 'node:http';
import express from 'express';
import { announce } from './announce.mjs';
import { answer } from './answer.mjs';

const NORMAL_CLOSURE = Buffer.from([0x88, 2, 0x03, 0xe8]);
const app = express();
app.use((request, _response, next) => {
  if (request.url !== '/echo') return next();
  const { socket } = request;
  socket.on('error', () => {});
  socket.on('data', () => socket.end(NORMAL_CLOSURE));
  socket.write(answer(request.headers['sec-websocket-key']));
});
const server = createServer(app);
server.on('upgrade', (request) => app(request, new ServerResponse(request)));
announce(server.listen(0, '127.0.0.1'));
