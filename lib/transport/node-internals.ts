/**
 * The one file that names what Node has and does not document. Each is looked for before it is used, and each has a fallback that
 * only needs documented interfaces: slower, or less exact, with the same result.
 *
 * `WS_NO_NODE_INTERNALS=1` in the environment turns all of them off, to find out whether one of them is to blame for something.
 */
import { Socket } from 'node:net';
import { type Duplex, Writable } from 'node:stream';

function isSwitchedOff(): boolean {
  try {
    return process.env['WS_NO_NODE_INTERNALS'] === '1';
  } catch {
    // Deno asks for a permission to read the environment.
    return false;
  }
}

/** Whether they are used at all. */
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

// How far a peer has come with what it is being sent.

/**
 * A number that changes while the peer takes what was written. A large write counts as a whole in the documented figures, when
 * it is done; only the handle tells what libuv still has of it.
 */
export function transmittedBytes(socket: Duplex): number {
  const written = numberIn(socket, 'bytesWritten') - socket.writableLength;
  const handle = handleOf(socket);
  return handle === undefined ? written : written - numberIn(handle, 'writeQueueSize');
}

/**
 * Bytes that the kernel has not taken. A write that libuv is at counts in `writableLength` as a whole until the last of it is
 * sent; only the handle tells what is left of it. Over TLS, and for streams that are not sockets, it counts as a whole.
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

/** The methods that `write` calls, one after the other. All sockets inherit them from here, TLS sockets too. */
const WRITE: unknown = Writable.prototype.write;
const WRITE_ONE: unknown = Reflect.get(Socket.prototype, '_write');
const WRITE_MANY: unknown = Reflect.get(Socket.prototype, '_writev');
const WRITE_EITHER: unknown = Reflect.get(Socket.prototype, '_writeGeneric');

/** The classes of handles that take what they are given at once, or say when they have taken it. TLS encrypts it at once. */
const HANDLES = ['TCP', 'Pipe', 'TLSWrap'];
const HANDLE_METHODS = ['writeBuffer', 'writev'];

/** Asked for each write, because any hook may replace a method. */
export function hasNativeWrite(socket: Duplex): boolean {
  return (
    socket.write === WRITE &&
    socket._write === WRITE_ONE &&
    socket._writev === WRITE_MANY &&
    Reflect.get(socket, '_writeGeneric') === WRITE_EITHER
  );
}

/** Asked once for each socket. */
export function hasNativeHandle(socket: Duplex): boolean {
  const handle = handleOf(socket);
  if (handle === undefined) return false;
  return HANDLES.includes(handle.constructor.name) && !HANDLE_METHODS.some((name) => Object.hasOwn(handle, name));
}

// Reading into memory of ours. Node has this as the option `onread` of `net.connect`, and no way to ask it of a socket that a
// server has accepted. What the option does is done here to such a socket.

const symbols = new Map(Object.getOwnPropertySymbols(new Socket()).map((symbol) => [symbol.description, symbol]));
const kBuffer = symbols.get('kBuffer');
const kBufferCb = symbols.get('kBufferCb');
const kBufferGen = symbols.get('kBufferGen');

/** By these methods what is read reaches the listeners. */
const REPLACEABLE = ['push', 'emit', 'read', '_read', 'unshift'];

/**
 * From now on the socket reads into `memory`, and emits no `data`.
 *
 * @param onRead called with the socket as `this`: so many bytes stand in `memory`; false ends reading until `socket.resume()`
 * @param next called after each read: the memory for the next one, or undefined to go on as before
 * @returns false where that cannot be; then nothing has changed
 */
export function readInto(
  socket: Duplex,
  memory: Buffer,
  onRead: (this: Duplex, length: number, memory: Buffer) => boolean,
  next: () => Buffer | undefined,
): boolean {
  if (kBuffer === undefined || kBufferCb === undefined || kBufferGen === undefined) return false;
  if (Object.getPrototypeOf(socket) !== Socket.prototype || isObserved(socket) || socket.readableLength > 0)
    return false;
  const handle = handleOf(socket);
  const useUserBuffer: unknown = handle && Reflect.get(handle, 'useUserBuffer');
  if (handle === undefined || typeof useUserBuffer !== 'function') return false;
  Reflect.apply(useUserBuffer, handle, [memory]);
  Reflect.set(socket, kBuffer, memory);
  Reflect.set(socket, kBufferCb, onRead);
  Reflect.set(socket, kBufferGen, next);
  return true;
}

/** Whether somebody else wants to see what is read: by a listener, or by methods of their own that Node's would call. */
function isObserved(socket: Duplex): boolean {
  // One listener is ours.
  if (socket.listenerCount('data') > 1 || socket.listenerCount('readable') > 0) return true;
  return REPLACEABLE.some((name) => Object.hasOwn(socket, name));
}

// Whom a socket belongs to, and where it leads to.

const ASK = { localAddress: 'getsockname', remoteAddress: 'getpeername' } as const;

/**
 * A socket that is asked for an address keeps an object for each answer, a hundred bytes of which only the address is wanted. Its
 * handle keeps nothing.
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
