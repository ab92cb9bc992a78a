/**
 * Sockets whose methods a middleware has replaced, and sockets of other kinds: what they are given they may keep, and pass on whenever they
 * like. Nobody else's bytes are in it then.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { upgradeListener, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { type Chunk, SharedChunk } from '../../lib/memory/shared-read-buffer.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { hasNativeWrite } from '../../lib/transport/node-internals.js';
import { Transport } from '../../lib/transport/transport.js';
import { roundTrip, turns } from '../connection/open.js';
import { certificate } from '../support/certificate.js';
import { binary, frame, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

type Method = (...args: unknown[]) => unknown;

/** Calls the method as it was some turns of the event loop later, and says at once that all is well. */
function postpone(target: object, name: string): void {
  const original = Reflect.get(target, name) as Method;
  Reflect.set(target, name, function later(this: unknown, ...args: unknown[]) {
    void turns(3).then(() => original.apply(this, args));
    return true;
  });
}

/** What `_write` and `_writev` are given is done with only when they call back: these call back before. */
function postponeCallback(target: object, name: '_write' | '_writev' | '_writeGeneric'): void {
  const original = Reflect.get(target, name) as Method;
  Reflect.set(target, name, function later(this: unknown, ...args: unknown[]) {
    const callback = args.pop() as () => void;
    void turns(3).then(() => original.apply(this, [...args, () => {}]));
    setImmediate(callback);
  });
}

class Delayed extends Socket {
  override write(...args: unknown[]): boolean {
    void turns(3).then(() => Reflect.apply(Socket.prototype.write, this, args));
    return true;
  }
}

const REPLACED: Record<string, (socket: Socket) => void> = {
  'write of its own': (socket) => postpone(socket, 'write'),
  '_write of its own': (socket) => postponeCallback(socket, '_write'),
  '_writeGeneric of its own': (socket) => postponeCallback(socket, '_writeGeneric'),
  'write of a subclass': (socket) => Object.setPrototypeOf(socket, Delayed.prototype),
};

const DOORS: Record<string, { tls: boolean; byUpgrade: boolean }> = {
  'the request door': { tls: false, byUpgrade: false },
  'the upgrade door': { tls: false, byUpgrade: true },
  'the request door, over TLS': { tls: true, byUpgrade: false },
  'the upgrade door, over TLS': { tls: true, byUpgrade: true },
};

async function serveAt({ tls, byUpgrade }: (typeof DOORS)[string], app: RequestListener): Promise<Running> {
  if (!byUpgrade) return serve(app, { tls });
  const server = tls ? createTlsServer(await certificate(), app) : createServer(app);
  server.on('upgrade', upgradeListener(app));
  return serve(server, { tls });
}

describe.each(Object.entries(DOORS))('at %s', (_door, door) => {
  it.each(Object.entries(REPLACED).filter(([what]) => !door.tls || what !== 'write of a subclass'))(
    'a socket with a %s carries its own bytes, whatever others are sent meanwhile',
    async (_what, replace) => {
      const handlers = new AsyncQueue<WebSocketHandler>();
      let isReplaced = true;
      const route = websocketRoute(
        class extends WebSocketHandler<{ params: object }> {
          override onConnect(_params: object, { socket }: IncomingMessage): void {
            if (isReplaced) replace(socket);
            isReplaced = false;
            handlers.push(this);
          }
        },
      );
      const server = await serveAt(door, route);
      const [late, other] = [await RawClient.open(server, '/'), await RawClient.open(server, '/')];
      const [first, second] = await handlers.take(2);
      const sent: string[] = [];
      for (let i = 0; i < 20; i++) {
        sent.push(`late ${i} ${'x'.repeat(i * 10)}`);
        first!.write(sent.at(-1)!, { flush: true });
        // Another connection writes where that stood.
        second!.write(`other ${'y'.repeat(i * 10)}`, { flush: true });
        if (i % 4 === 0) await turns();
      }
      for (const expected of sent) expect((await late.next()).payload.toString()).toBe(expected);
      for (let i = 0; i < 20; i++) expect((await other.next()).payload.toString()).toBe(`other ${'y'.repeat(i * 10)}`);
    },
  );

  it('a file reaches a peer whose socket passes on later as it is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'websocket-route-'));
    const path = join(folder, 'file');
    const content = Buffer.concat(Array.from({ length: 6 }, (_, i) => Buffer.alloc(128 * 1024, i)));
    writeFileSync(path, content);
    const route = websocketRoute(
      class extends WebSocketHandler<{ params: object }> {
        override onConnect(_params: object, { socket }: IncomingMessage): void {
          const write = socket.write.bind(socket) as (chunk: Uint8Array) => boolean;
          socket.write = ((chunk: Uint8Array, callback?: () => void) => {
            void turns(10).then(() => write(chunk));
            if (callback) setImmediate(callback);
            return true;
          }) as typeof socket.write;
          void this.writeFile(path);
        }
      },
    );
    const client = await RawClient.open(await serveAt(door, route), '/');
    expect((await client.next()).payload.equals(content)).toBe(true);
    rmSync(folder, { recursive: true });
  });
});

it('a socket writes natively only where it is Node’s own from end to end', async () => {
  const server = await serve((_request, response) => void response.end());
  const client = await RawClient.connect(server);
  expect(hasNativeWrite(client.socket)).toBe(true);
  for (const name of ['write', '_write', '_writev', '_writeGeneric']) {
    const before: unknown = Reflect.get(client.socket, name);
    Reflect.set(client.socket, name, (...args: unknown[]) => Reflect.apply(before as Method, client.socket, args));
    expect(hasNativeWrite(client.socket)).toBe(false);
    Reflect.deleteProperty(client.socket, name);
    expect(hasNativeWrite(client.socket)).toBe(true);
  }
});

describe('what is read', () => {
  /** Each chunk as the tap got it, and what the handler got. */
  async function tapped(tap: (socket: Socket, seen: (chunk: Buffer) => void) => void): Promise<void> {
    const reads = new AsyncQueue<string | Buffer>();
    const chunks: Buffer[] = [];
    const copies: Buffer[] = [];
    const seen = (chunk: Buffer): void => {
      chunks.push(chunk);
      copies.push(Buffer.from(chunk));
    };
    let isFirst = true;
    const route = websocketRoute({ onRead: (data: string | Buffer) => reads.push(data) });
    const server = await serve((request, response) => {
      if (isFirst) tap(request.socket, seen);
      isFirst = false;
      route(request, response);
    });
    const [one, other] = [await RawClient.open(server, '/'), await RawClient.open(server, '/')];
    const sent = [text('first'), binary(Buffer.from('second')), text('third'.repeat(100))];
    for (const bytes of sent) {
      one.send(bytes);
      await reads.next();
      other.send(text('of another'.repeat(20)));
      await reads.next();
    }
    await roundTrip(one, frame({ opcode: 9 }));
    // As the client has sent it, still masked, and of nobody else's.
    const all = Buffer.concat(chunks);
    expect(all.equals(Buffer.concat(copies))).toBe(true);
    expect(all.subarray(0, -6).equals(Buffer.concat(sent))).toBe(true);
  }

  it('is heard by another listener, who may keep it', () =>
    tapped((socket, seen) => {
      socket.on('data', seen);
    }));

  it.each(['push', 'emit'])('goes by a method of its own, which may keep it: %s', (name) =>
    tapped((socket, seen) => {
      const original = Reflect.get(socket, name) as Method;
      const isChunk = (arg: unknown): arg is Buffer => Buffer.isBuffer(arg);
      let isOpen = false;
      Reflect.set(socket, name, (...args: unknown[]) => {
        if (isOpen) args.filter(isChunk).forEach(seen);
        return Reflect.apply(original, socket, args);
      });
      // What comes before the 101 is the request.
      setImmediate(() => {
        isOpen = true;
      });
    }),
  );
});

const bytesOf = (chunk: Chunk): Buffer => (chunk instanceof SharedChunk ? chunk.bytes : chunk);

it('data that a stream brings in the midst of what another has brought is kept apart from that', () => {
  const got: string[] = [];
  const listening = (onChunk: (chunk: Chunk) => void): Transport => {
    const transport = new Transport(new PassThrough());
    transport.listen({
      onData(chunk) {
        onChunk(chunk);
        got.push(bytesOf(chunk).toString());
        return Number.POSITIVE_INFINITY;
      },
      onEnd() {},
      onClose() {},
    });
    return transport;
  };
  const inner = listening((chunk) => expect(chunk).not.toBeInstanceOf(SharedChunk));
  const outer = listening(() => inner.deliver(Buffer.from('inner, and longer')));
  outer.deliver(Buffer.from('outer'));
  outer.deliver(Buffer.from('again'));
  expect(got).toEqual(['inner, and longer', 'outer', 'inner, and longer', 'again']);
});

it('data that a stream brings at once, more than all sockets read at a time, is handled in parts', () => {
  const bytes = Buffer.alloc(3 * 512 * 1024 + 5, 'no multiple of it');
  const parts: Buffer[] = [];
  const transport = new Transport(new PassThrough());
  transport.listen({ onData: (chunk) => parts.push(Buffer.from(bytesOf(chunk))), onEnd() {}, onClose() {} });
  transport.deliver(bytes);
  expect(parts.map(({ length }) => length)).toEqual([512 * 1024, 512 * 1024, 512 * 1024, 5]);
  expect(Buffer.concat(parts).equals(bytes)).toBe(true);
});
