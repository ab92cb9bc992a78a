/**
 * One piece of memory that all sockets of the process read into. Node gives each read 64 KiB of its own and cuts off what was
 * not needed, which costs more than a small message does otherwise. What is read is handled before the event loop goes on to
 * the next socket, so one such piece is enough; who keeps any of it copies it.
 */
import type { Duplex } from 'node:stream';
import { READ_BUFFER } from '../memory/shared-read-buffer.js';
import { readInto } from './node-internals.js';

/** What is read at a time as a rule: as much as Node reads itself. */
const USUAL = READ_BUFFER.subarray(0, 64 * 1024);

/** What the socket that has just read is to read into next, if that is another. */
let next: Buffer | undefined;

/**
 * From now on what the socket reads is given to `onRead`, and no `data` is emitted.
 *
 * @param onRead called with the socket as `this`: so many bytes stand in `READ_BUFFER`, until it returns; false ends reading until
 * `socket.resume()`. It calls `nextReadIs` at its end
 * @returns false where that cannot be: nothing has changed then, and `data` events do the same
 */
export function shareReads(socket: Duplex, onRead: (this: Duplex, length: number, memory: Buffer) => boolean): boolean {
  return readInto(socket, USUAL, onRead, takeNext);
}

/**
 * A socket that has brought as much as is read at a time may bring more at once: of large messages several are taken by one system
 * call. One that may only bring so much more reads no more than that.
 *
 * @param length so many bytes have been read, into `memory`
 * @param room how many more may come
 */
export function memoryForNextRead(length: number, memory: Buffer, room: number): Buffer {
  if (room === Number.POSITIVE_INFINITY) return length >= USUAL.length ? READ_BUFFER : USUAL;
  if (room >= USUAL.length || room === 0) return USUAL;
  return room === memory.length ? memory : USUAL.subarray(0, room);
}

/** @param last what it has read into */
export function nextReadIs(memory: Buffer, last: Buffer): void {
  if (memory !== last) next = memory;
}

/** Node asks for it after each read, and goes on as before where there is none. */
function takeNext(): Buffer | undefined {
  const taken = next;
  next = undefined;
  return taken;
}
