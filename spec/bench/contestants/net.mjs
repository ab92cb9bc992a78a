/**
 * What Node's sockets can do: the handshake is answered, and then the same bytes go back, without framing, or to all, or nowhere.
 * As `tls` a socket of `node:tls`; as `bare` an upgraded socket of `http` with one listener, as `mute` with none.
 */
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import { announce } from './announce.mjs';
import { answer } from './answer.mjs';
import { certificate, isSecure } from './secure.mjs';

const kind = process.argv[2];
const members = new Set();

function serve(socket) {
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
}

function upgrade(request, socket) {
  if (kind === 'bare') {
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('error', () => {});
  } else members.add(socket);
  socket.write(answer(request.headers['sec-websocket-key']));
}

async function serverOf() {
  if (kind === 'bare' || kind === 'mute') return createHttpServer().on('upgrade', upgrade);
  return isSecure ? createSecureServer(await certificate(), serve) : createServer(serve);
}

announce((await serverOf()).listen(0, '127.0.0.1'));
