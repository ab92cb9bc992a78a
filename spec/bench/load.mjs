/** The other side: raw sockets, frames that are masked beforehand, replies that are counted as bytes, and looked at by sample. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectSecurely } from 'node:tls';

const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ROOM = 256 * 1024;

/** A masked frame of a client's. */
export function frame(opcode, payload, { fin = true, rsv1 = false } = {}) {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const bytes = Buffer.alloc(2 + extended + 4 + length);
  bytes[0] = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode;
  bytes[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) bytes.writeUInt16BE(length, 2);
  if (extended === 8) bytes.writeBigUInt64BE(BigInt(length), 2);
  MASK.copy(bytes, 2 + extended);
  const at = 6 + extended;
  for (let i = 0; i < length; i++) bytes[at + i] = payload[i] ^ MASK[i & 3];
  return bytes;
}

/** The same message as a server sends it. */
export function reply(opcode, payload) {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const header = Buffer.alloc(2 + extended);
  header[0] = 0x80 | opcode;
  header[1] = extended === 0 ? length : extended === 2 ? 126 : 127;
  if (extended === 2) header.writeUInt16BE(length, 2);
  if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, payload]);
}

const NORMAL_CLOSURE = Buffer.from([0x03, 0xe8]);
const CLOSE = frame(8, NORMAL_CLOSURE);
const CLOSED = reply(8, NORMAL_CLOSURE);

/** One connection. What comes is given to `onBytes(bytes)`, valid only until that returns. */
export class Client {
  onBytes = () => {};

  /** `isSecure`: over TLS, whatever the certificate, which the server has made itself. */
  static async open(port, path, { headers = '', isSecure = false } = {}) {
    const client = new Client();
    let head = '';
    let opened;
    const isOpen = new Promise((resolve, reject) => {
      opened = resolve;
      client.fail = reject;
    });
    const options = {
      port,
      host: '127.0.0.1',
      noDelay: true,
      rejectUnauthorized: false,
      onread: {
        buffer: Client.room,
        callback: (length, buffer) => {
          if (head === undefined) {
            client.onBytes(buffer.subarray(0, length));
            return true;
          }
          head += buffer.latin1Slice(0, length);
          const end = head.indexOf('\r\n\r\n');
          if (end < 0) return true;
          if (!head.startsWith('HTTP/1.1 101')) client.fail(new Error(head));
          client.extensions = /sec-websocket-extensions: (.*)\r/i.exec(head)?.[1] ?? '';
          head = undefined;
          opened();
          return true;
        },
      },
    };
    client.socket = isSecure ? connectSecurely(options) : connect(options);
    client.socket.on('error', (error) => client.fail(error));
    await once(client.socket, isSecure ? 'secureConnect' : 'connect');
    client.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${headers}\r\n`,
    );
    await isOpen;
    return client;
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  close() {
    this.socket.destroy();
  }

  /** The closing handshake, and the end of the TCP connection, which is the server's to begin (RFC 6455 section 7.1.1). */
  async shakeHandsAndClose() {
    const check = checker(CLOSED);
    let left = CLOSED.length;
    this.onBytes = (bytes) => {
      check(bytes);
      left -= bytes.length;
    };
    this.write(CLOSE);
    await once(this.socket, 'close');
    if (left !== 0) throw new Error('the close frame was not answered with the same');
  }
}
Client.room = Buffer.alloc(ROOM);

export async function openMany(count, port, path, options) {
  const clients = [];
  while (clients.length < count) {
    const some = Array.from({ length: Math.min(64, count - clients.length) }, () => Client.open(port, path, options));
    clients.push(...(await Promise.all(some)));
  }
  return clients;
}

/** Compares what comes with what should, from the beginning of a reply on. */
export function checker(expected) {
  let at = 0;
  return (bytes) => {
    const length = Math.min(bytes.length, expected.length - at);
    if (bytes.compare(expected, at, at + length, 0, length) !== 0) throw new Error('what came back differs');
    at += bytes.length;
  };
}

/**
 * Each client sends a batch, and the next when all of it has come back.
 *
 * @returns `{ done, stop }`: how many messages have come back so far
 */
export function pump(clients, batch, expected, perBatch) {
  const state = { done: 0, running: true };
  for (const client of clients) {
    let left = expected.length;
    let check = checker(expected);
    let batches = 0;
    client.onBytes = (bytes) => {
      check?.(bytes);
      left -= bytes.length;
      if (left > 0) return;
      if (left < 0) throw new Error('more came back than was sent');
      left = expected.length;
      state.done += perBatch;
      batches++;
      check = batches % 1000 === 0 ? checker(expected) : undefined;
      if (state.running) client.write(batch);
    };
    client.write(batch);
  }
  return state;
}

/**
 * Each client has `depth` messages under way, and sends the next one for each that comes back; what one read brings back lets as
 * many go in one write. Every byte is compared.
 *
 * @returns `{ done, running }`: how many messages have come back so far
 */
export function slide(clients, one, expected, depth) {
  const state = { done: 0, running: true };
  const { length } = expected;
  const window = Buffer.concat(Array(depth).fill(one));
  const inTurn = Buffer.concat(Array(depth + 1).fill(expected));
  for (const client of clients) {
    let at = 0;
    client.onBytes = (bytes) => {
      if (at + bytes.length > inTurn.length) throw new Error('more came back than was sent');
      if (bytes.compare(inTurn, at, at + bytes.length) !== 0) throw new Error('what came back differs');
      at += bytes.length;
      const answers = Math.floor(at / length);
      at -= answers * length;
      state.done += answers;
      if (!state.running) return;
      if (answers > 0) client.write(window.subarray(0, answers * one.length));
    };
    client.write(window);
  }
  return state;
}
