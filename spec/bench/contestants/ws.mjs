/** `ws` on an HTTP server of its own, as its readme has it, and what its users would write to take a stream apart. */
import { WebSocketServer } from 'ws';
import { announce } from './announce.mjs';
import { httpServer } from './secure.mjs';

const server = await httpServer();
const members = new Set();
let units = 0;
let sum = 0;

const kinds = {
  '/echo': (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  '/idle': (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  '/fanout': (socket) => {
    members.add(socket);
    socket.on('message', (data, isBinary) => {
      for (const member of members) member.send(data, { binary: isBinary });
    });
    socket.on('close', () => members.delete(socket));
  },
  '/lines': (socket) => {
    let rest = '';
    socket.on('message', (data) => {
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        units++;
        if (line === 'done') socket.send(String(units));
      }
    });
  },
  '/records': (socket) => {
    let rest = Buffer.alloc(0);
    socket.on('message', (data) => {
      const bytes = rest.length === 0 ? data : Buffer.concat([rest, data]);
      let at = 0;
      for (; at + 10 <= bytes.length; at += 10) {
        const a = bytes.readUInt32BE(at);
        sum += bytes.readUInt32BE(at + 4) + bytes.readUInt16BE(at + 8);
        units++;
        if (a === 0xffffffff) socket.send(`${sum} ${units}`);
      }
      rest = bytes.subarray(at);
    });
  },
};
kinds['/deflate'] = kinds['/deflate-takeover'] = kinds['/echo'];

const servers = new Map();
for (const [path, open] of Object.entries(kinds)) {
  const takeover = path === '/deflate-takeover';
  const perMessageDeflate = path.startsWith('/deflate') && {
    threshold: 0,
    serverNoContextTakeover: !takeover,
    clientNoContextTakeover: !takeover,
    concurrencyLimit: 8,
  };
  const one = new WebSocketServer({ noServer: true, perMessageDeflate, maxPayload: 2 ** 31 - 1 });
  one.on('connection', open);
  servers.set(path, one);
}
server.on('upgrade', (request, socket, head) => {
  const one = servers.get(request.url);
  one.handleUpgrade(request, socket, head, (client) => one.emit('connection', client, request));
});
announce(server.listen(0, '127.0.0.1'));
