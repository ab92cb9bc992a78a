/**
 * Whether a socket's `write` is Node's own, all the way down to the operating system. Then memory that it was given may be used again once
 * nothing waits in the stream. Whatever else stands in between (a middleware's own `write`, a subclass, a stream that is no socket) may
 * keep what it is given and pass it on later: it is given memory that is not written to again.
 */
import { Socket } from 'node:net';
import { type Duplex, Writable } from 'node:stream';

/** Those that `write` calls, one after the other. All sockets have them from here, those of TLS too. */
const WRITE: unknown = Writable.prototype.write;
const ONE: unknown = Reflect.get(Socket.prototype, '_write');
const MANY: unknown = Reflect.get(Socket.prototype, '_writev');
const EITHER: unknown = Reflect.get(Socket.prototype, '_writeGeneric');

/** The classes of handles that take what they are given at once, or say when they have taken it. TLS encrypts it at once. */
const HANDLES = ['TCP', 'Pipe', 'TLSWrap'];
const HANDLE_METHODS = ['writeBuffer', 'writev'];

/** Asked for each write, because any hook may replace a method. */
export function writesNatively(socket: Duplex): boolean {
  return (
    socket.write === WRITE &&
    socket._write === ONE &&
    socket._writev === MANY &&
    Reflect.get(socket, '_writeGeneric') === EITHER
  );
}

/** Asked once for each socket. */
export function hasNativeHandle(socket: Duplex): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return false;
  return HANDLES.includes(handle.constructor.name) && !HANDLE_METHODS.some((name) => Object.hasOwn(handle, name));
}
