/**
 * The only file that names undocumented internals of Node. Each is checked before it is used, and each has a fallback
 * that only needs documented interfaces: slower, or less exact, but with the same result.
 *
 * `WS_NO_NODE_INTERNALS=1` in the environment turns all of them off, to find out whether one of them causes a problem.
 */
import { Socket } from 'node:net';
import { type Duplex, Writable } from 'node:stream';

function isSwitchedOff(): boolean {
  try {
    return process.env['WS_NO_NODE_INTERNALS'] === '1';
  } catch {
    // Deno needs a permission to read the environment.
    return false;
  }
}

/** Whether internals are used at all. */
export const usesNodeInternals = !isSwitchedOff();

function property(object: object, name: string | symbol): unknown {
  return usesNodeInternals ? Reflect.get(object, name) : undefined;
}

function objectIn(object: object, name: string): object | undefined {
  const value = property(object, name);
  return typeof value === 'object' && value !== null ? value : undefined;
}

function numberIn(object: object, name: string): number {
  const value: unknown = Reflect.get(object, name);
  return typeof value === 'number' ? value : 0;
}

function handleOf(socket: object): object | undefined {
  return objectIn(socket, '_handle');
}

// How much output a peer has accepted.

/**
 * A number that changes while the peer accepts output. The documented counters include a large write only once all of
 * it is done; only the handle reveals how much of it libuv still holds.
 */
export function transmittedBytes(socket: Duplex): number {
  const written = numberIn(socket, 'bytesWritten') - socket.writableLength;
  const handle = handleOf(socket);
  return handle === undefined ? written : written - numberIn(handle, 'writeQueueSize');
}

/**
 * The bytes that the kernel has not accepted. `writableLength` includes all of a write until its last byte is sent;
 * only the handle reveals the rest. Over TLS, and for streams that are not sockets, all of a write counts.
 */
export function unsentBytes(socket: Duplex): number {
  const { writableLength } = socket;
  if (writableLength === 0 || Reflect.has(socket, 'encrypted')) return writableLength;
  const handle = handleOf(socket);
  const state = objectIn(socket, '_writableState');
  if (handle === undefined || state === undefined) return writableLength;
  const sent = numberIn(state, 'writelen') - numberIn(handle, 'writeQueueSize');
  return sent > 0 && sent <= writableLength ? writableLength - sent : writableLength;
}

// Whether a socket's `write` is Node's own, all the way down to the operating system.

/** The methods that `write` calls, in order. All sockets inherit them, including TLS sockets. */
const WRITE: unknown = Writable.prototype.write;
const WRITE_ONE: unknown = Reflect.get(Socket.prototype, '_write');
const WRITE_MANY: unknown = Reflect.get(Socket.prototype, '_writev');
const WRITE_EITHER: unknown = Reflect.get(Socket.prototype, '_writeGeneric');

/** The classes of handles that consume a write immediately, or report when they have. TLS encrypts it immediately. */
const HANDLES = ['TCP', 'Pipe', 'TLSWrap'];
const HANDLE_METHODS = ['writeBuffer', 'writev'];

/** Checked for each write, because any hook may replace a method. */
export function hasNativeWrite(socket: Duplex): boolean {
  return (
    socket.write === WRITE &&
    socket._write === WRITE_ONE &&
    socket._writev === WRITE_MANY &&
    Reflect.get(socket, '_writeGeneric') === WRITE_EITHER
  );
}

/** Checked once for each socket. */
export function hasNativeHandle(socket: Duplex): boolean {
  const handle = handleOf(socket);
  if (handle === undefined) return false;
  if (!isHandleClass(handle.constructor)) return false;
  for (const name of HANDLE_METHODS) if (Object.hasOwn(handle, name)) return false;
  return true;
}

/** The latest: to ask for a name costs more than to compare. */
let latestHandleClass: unknown;

function isHandleClass(handleClass: { readonly name: string }): boolean {
  if (handleClass === latestHandleClass) return true;
  if (!HANDLES.includes(handleClass.name)) return false;
  latestHandleClass = handleClass;
  return true;
}

// Reading into our own memory. Node offers this as the option `onread` of `net.connect`, but not for sockets that a
// server has accepted. This does to such a socket what the option does.

const symbols = new Map(Object.getOwnPropertySymbols(new Socket()).map((symbol) => [symbol.description, symbol]));
const kBuffer = symbols.get('kBuffer');
const kBufferCb = symbols.get('kBufferCb');
const kBufferGen = symbols.get('kBufferGen');
const kTimeout = symbols.get('timeout');

/** Whether it is a socket of `node:tls`, as far as this can be seen. */
export function isEncrypting(socket: Duplex): boolean {
  return handleOf(socket)?.constructor.name === 'TLSWrap';
}

/** By these methods what is read reaches the listeners. */
const REPLACEABLE = ['push', 'emit', 'read', '_read', 'unshift'];

/**
 * Makes the socket read into `memory` and emit no `data`.
 *
 * @param onRead called with the socket as `this` and the number of bytes in `memory`; returns false to stop reading
 * until `socket.resume()`
 * @param next called after each read; returns the memory for the next one, or undefined to keep the current one
 * @returns false if this is not possible; then nothing has changed
 */
export function readInto(
  socket: Duplex,
  memory: Buffer,
  onRead: (this: Duplex, length: number, memory: Buffer) => boolean,
  next: () => Buffer | undefined,
): boolean {
  if (kBuffer === undefined || kBufferCb === undefined || kBufferGen === undefined) return false;
  if (!isOfNode(socket) || isObserved(socket) || socket.readableLength > 0) return false;
  const handle = handleOf(socket);
  const useUserBuffer: unknown = handle && Reflect.get(handle, 'useUserBuffer');
  if (handle === undefined || typeof useUserBuffer !== 'function') return false;
  Reflect.apply(useUserBuffer, handle, [memory]);
  Reflect.set(socket, kBuffer, memory);
  Reflect.set(socket, kBufferCb, onRead);
  Reflect.set(socket, kBufferGen, next);
  return true;
}

/** Whether its class is Node's own: `net.Socket`, or `tls.TLSSocket`, which is found by its handle, so that nobody loads TLS for this. */
function isOfNode(socket: Duplex): boolean {
  const prototype: object = Object.getPrototypeOf(socket);
  if (prototype === Socket.prototype) return true;
  return (
    isEncrypting(socket) &&
    Object.getPrototypeOf(prototype) === Socket.prototype &&
    !REPLACEABLE.some((name) => Object.hasOwn(prototype, name))
  );
}

/** Whether somebody else wants to see what is read: by a listener, or by methods of their own that Node's would call. */
function isObserved(socket: Duplex): boolean {
  // One listener is ours.
  if (socket.listenerCount('data') > 1 || socket.listenerCount('readable') > 0) return true;
  for (const name of REPLACEABLE) if (Object.hasOwn(socket, name)) return true;
  return false;
}

// The addresses of a socket.

const ASK = { localAddress: 'getsockname', remoteAddress: 'getpeername' } as const;

/**
 * Reads an address from the handle, because the socket would cache an object of about a hundred bytes for each address.
 */
export function addressFromHandle(socket: object, which: keyof typeof ASK): unknown {
  const handle = handleOf(socket);
  const ask: unknown = handle && Reflect.get(handle, ASK[which]);
  if (typeof ask !== 'function') return undefined;
  const answer = {};
  Reflect.apply(ask, handle, [answer]);
  return Reflect.get(answer, 'address');
}

// What Node's HTTP server knows of a socket.

/**
 * The headers of the request that the server's parser has read last from the socket: those of another request where one was
 * pipelined. Undefined where that is not known.
 */
export function latestRawHeaders(socket: object): unknown {
  const request = objectIn(objectIn(socket, 'parser') ?? {}, 'incoming');
  return request && Reflect.get(request, 'rawHeaders');
}

/** Whether the server has taken its parser off the socket, as it does before an `upgrade` event; also where that is not asked. */
export function hasNoParser(socket: object): boolean {
  return !usesNodeInternals || Reflect.get(socket, 'parser') === null;
}

/** The response that the socket is at, if any. */
export function currentResponse(socket: object): unknown {
  return property(socket, '_httpMessage');
}

/** The server that has accepted a socket of TCP or of a pipe, and the handle that it listens by: another one, each time it listens. */
export function acceptorOf(socket: object): { server: object; handle: object } | undefined {
  const server = objectIn(socket, '_server');
  const handle = server && handleOf(server);
  return handle && { server, handle };
}

// The timeout of a socket.

/** A socket whose timeout was taken back keeps the timer, which it begins anew with each read and each write, to no effect. */
export function dropTimer(socket: object): void {
  if (kTimeout !== undefined && property(socket, kTimeout)) Reflect.set(socket, kTimeout, null);
}
