/**
 * What Node's sockets can do: the handshake is answered, and then the same bytes go back, without framing, or to all, or nowhere.
 * As `bare` an upgraded socket of `http` with one listener.
 */
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { announce } from './announce.mjs';
import { answer } from './answer.mjs';

if (process.argv[2] === 'bare') {
  const server = createHttpServer();
  server.on('upgrade', (request, socket) => {
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('error', () => {});
    socket.write(answer(request.headers['sec-websocket-key']));
  });
  announce(server.listen(0, '127.0.0.1'));
} else {
  const members = new Set();
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.once('data', (request) => {
      const text = request.toString('latin1');
      const path = text.split(' ', 2)[1];
      socket.write(answer(/sec-websocket-key: (.*)\r/i.exec(text)[1]));
      if (path === '/sink') {
        let bytes = 0;
        socket.on('data', (chunk) => {
          bytes += chunk.length;
          if (chunk[chunk.length - 1] === 0xff) socket.write(String(bytes));
        });
      } else if (path === '/fanout') {
        members.add(socket);
        socket.on('data', (chunk) => {
          for (const member of members) member.write(chunk);
        });
      } else socket.on('data', (chunk) => socket.write(chunk));
    });
  });
  announce(server.listen(0, '127.0.0.1'));
}
