/**
 * A client in a process of its own that sends its first message the moment it has the whole 101, one connection after the other,
 * and another one once the server's greeting has come. Prints, as JSON, what came back on each connection.
 *
 *     node eager-client.mjs <port> <tls: 0 or 1> <connections>
 */
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';

const [port, tls, connections] = process.argv.slice(2).map(Number);
const MASK = Buffer.from([1, 2, 3, 4]);

/** A masked text frame of less than 126 bytes. */
function text(payload) {
  const masked = Buffer.from(payload).map((byte, i) => byte ^ MASK[i % 4]);
  return Buffer.concat([Buffer.from([0x81, 0x80 | masked.length]), MASK, masked]);
}

const HANDSHAKE = [
  'GET /ws HTTP/1.1',
  `Host: 127.0.0.1:${port}`,
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n');

/** The texts that came, until the last one that was sent has come back. */
function run() {
  return new Promise((resolve, reject) => {
    const socket = tls
      ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      : connectTcp(port, '127.0.0.1');
    socket.setNoDelay(true);
    const texts = [];
    let buffered = Buffer.alloc(0);
    let isOpen = false;
    socket.on(tls ? 'secureConnect' : 'connect', () => socket.write(HANDSHAKE));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${JSON.stringify(texts)} and ${buffered}`)));
    socket.on('data', (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      if (!isOpen) {
        const end = buffered.indexOf('\r\n\r\n');
        if (end === -1) return;
        isOpen = true;
        socket.write(text('first'));
        buffered = buffered.subarray(end + 4);
      }
      while (buffered.length >= 2 && buffered.length >= 2 + buffered[1]) {
        const payload = buffered.toString('utf8', 2, 2 + buffered[1]);
        buffered = buffered.subarray(2 + payload.length);
        texts.push(payload);
        if (payload === 'hello') socket.write(text('last'));
        if (payload !== 'last') continue;
        socket.removeAllListeners('close').destroy();
        resolve(texts);
      }
    });
  });
}

const all = [];
for (let i = 0; i < connections; i++) all.push((await run()).join());
console.log(JSON.stringify(all));
