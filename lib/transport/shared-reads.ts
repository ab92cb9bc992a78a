/**
 * One piece of memory that all sockets of the process read into. Node gives each read 64 KiB of its own and cuts off what was
 * not needed, which costs more than a small message does otherwise. What is read is handled before the event loop goes on to
 * the next socket, so one such piece is enough; who keeps any of it copies it (`framing/simd-scan.ts`).
 *
 * Node has this as the option `onread` of `net.connect`, and has no way to ask it of a socket that a server has accepted. What
 * the option does is done here to such a socket. Where any of it is not as it is known, `data` events do the same.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { MEMORY } from '../framing/simd-scan.js';

/** What is read at a time as a rule: as much as Node reads itself, and as may have to wait for a handler. */
const USUAL = MEMORY.subarray(0, 64 * 1024);

const symbols = new Map(Object.getOwnPropertySymbols(new Socket()).map((symbol) => [symbol.description, symbol]));
const kBuffer = symbols.get('kBuffer');
const kBufferCb = symbols.get('kBufferCb');
const kBufferGen = symbols.get('kBufferGen');

/** What the socket that has just read is to read into next, if that is another. */
let next: Buffer | undefined;

/**
 * From now on what the socket reads is given to `onRead`, and no `data` is emitted.
 *
 * @param onRead called with the socket as `this`: so many bytes stand in `MEMORY`, until it returns; false ends reading until
 * `socket.resume()`. It calls `readMore` at its end
 * @returns false where that cannot be: nothing has changed then
 */
export function readTogether(
  socket: Duplex,
  onRead: (this: Duplex, length: number, buffer: Buffer) => boolean,
): boolean {
  if (kBuffer === undefined || kBufferCb === undefined || kBufferGen === undefined) return false;
  if (Object.getPrototypeOf(socket) !== Socket.prototype || isLookedAt(socket) || socket.readableLength > 0)
    return false;
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return false;
  const useUserBuffer: unknown = Reflect.get(handle, 'useUserBuffer');
  if (typeof useUserBuffer !== 'function') return false;
  Reflect.apply(useUserBuffer, handle, [USUAL]);
  Reflect.set(socket, kBuffer, USUAL);
  Reflect.set(socket, kBufferCb, onRead);
  Reflect.set(socket, kBufferGen, takeNext);
  return true;
}

/** Whether somebody else wants to see what is read: by listening to it, or by methods of their own that Node's would call. */
function isLookedAt(socket: Duplex): boolean {
  // One listener is ours.
  if (socket.listenerCount('data') > 1 || socket.listenerCount('readable') > 0) return true;
  return REPLACEABLE.some((name) => Object.hasOwn(socket, name));
}

/** By these what is read reaches the listeners. */
const REPLACEABLE = ['push', 'emit', 'read', '_read', 'unshift'];

/**
 * Who has had as much to say as is read at a time, and is listened to, may say more at once: of large messages several are taken by
 * one system call.
 *
 * @param length so many bytes have been read, into `buffer`
 */
export function readMore(socket: Duplex, length: number, buffer: Buffer): void {
  const wanted = length >= USUAL.length && !socket.isPaused() ? MEMORY : USUAL;
  if (wanted !== buffer) next = wanted;
}

/** Node asks for it after each read, and goes on as before where there is none. */
function takeNext(): Buffer | undefined {
  const taken = next;
  next = undefined;
  return taken;
}

/** Whether it is such a socket. */
export function readsTogether(socket: Duplex): boolean {
  if (kBuffer === undefined) return false;
  const buffer: unknown = Reflect.get(socket, kBuffer);
  return buffer === USUAL || buffer === MEMORY;
}
