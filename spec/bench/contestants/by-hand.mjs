/** Express, one route, and nothing of a WebSocket but the 101: what a handshake through Express costs at the least. */
import { createServer, ServerResponse } from 'node:http';
import express from 'express';
import { announce } from './announce.mjs';
import { answer } from './answer.mjs';

const app = express();
app.use((request, _response, next) => {
  if (request.url !== '/echo') return next();
  const { socket } = request;
  socket.on('error', () => {});
  socket.on('data', () => {});
  socket.write(answer(request.headers['sec-websocket-key']));
});
const server = createServer(app);
server.on('upgrade', (request) => app(request, new ServerResponse(request)));
announce(server.listen(0, '127.0.0.1'));
