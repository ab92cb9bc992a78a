/**
 * Makes all sockets of the process read into one piece of memory. Node allocates 64 KiB for each read and trims it,
 * which costs more than all other work on a small message. Each read is handled before the event loop continues with
 * the next socket, so one piece is enough. To keep any of it, copy it.
 */
import type { Duplex } from 'node:stream';
import { READ_BUFFER } from '../memory/shared-read-buffer.js';
import { readInto } from './node-internals.js';

/** The usual memory for one read, of the same size as Node's. */
const USUAL = READ_BUFFER.subarray(0, 64 * 1024);

/**
 * What TLS decrypts to: at most a record at a time. It has memory of its own, because a write without bytes makes Node decrypt what
 * has arrived at once, in the midst of what a hook does with the record before, which is in `READ_BUFFER`.
 */
let decrypted: Buffer | undefined;
const MAX_RECORD = 16 * 1024;

/** What the socket that has just read is to read into next, if that is another. */
let next: Buffer | undefined;

/**
 * Makes the socket pass its input to `onRead` and emit no `data`.
 *
 * @param onRead called with the socket as `this` and the number of bytes in `READ_BUFFER`, which are valid until it
 * returns; returns false to stop reading until `socket.resume()`. It calls `nextReadIs` at its end
 * @returns false if this is not possible; then nothing has changed, and the caller uses `data` events
 */
export function shareReads(socket: Duplex, onRead: (this: Duplex, length: number, memory: Buffer) => boolean): boolean {
  return readInto(socket, USUAL, onRead, takeNext);
}

/**
 * Chooses the memory for the next read. A socket that has filled its memory gets more, so that one system call can read
 * several large messages. It never reads more than `room` bytes.
 *
 * @param length the number of bytes read into `memory`
 * @param room how many more bytes may arrive
 */
export function memoryForNextRead(length: number, memory: Buffer, room: number): Buffer {
  if (room === Number.POSITIVE_INFINITY) return length >= USUAL.length ? READ_BUFFER : USUAL;
  if (room >= USUAL.length || room === 0) return USUAL;
  return room === memory.length ? memory : USUAL.subarray(0, room);
}

/**
 * The same for a socket of TLS.
 *
 * @param onRead may keep none of `memory`, which is written to again at any time
 */
export function shareDecrypted(
  socket: Duplex,
  onRead: (this: Duplex, length: number, memory: Buffer) => boolean,
): boolean {
  decrypted ??= Buffer.allocUnsafeSlow(MAX_RECORD);
  return readInto(socket, decrypted, onRead, goOn);
}

function goOn(): undefined {}

/** @param last what it has read into */
export function nextReadIs(memory: Buffer, last: Buffer): void {
  if (memory !== last) next = memory;
}

/** Called by Node after each read. */
function takeNext(): Buffer | undefined {
  const taken = next;
  next = undefined;
  return taken;
}
