/**
 * What the tables of conformance are made of: each case cites the sentence of the RFC that it shows, and says as data what is
 * sent and what must come back. `runner.ts` plays them over a real socket.
 */
import { frame } from '../support/frames.js';

/** What the server's frame must be, whole. */
export interface Received {
  readonly opcode: number;
  readonly payload: Buffer;
}

export type Step =
  /** These bytes. `by`: in writes of so many, which wait for each other. */
  | { readonly send: Buffer; readonly by?: number | undefined }
  /** The next frame of the server's. */
  | { readonly receive: Received }
  /** The same: a close frame. */
  | { readonly hear: Goodbye }
  /** The client will send nothing more: FIN. */
  | { readonly end: true };

/** A close frame; 1005 stands for one without a body. A reason of undefined may be any. */
export interface Goodbye {
  readonly code: number;
  readonly reason?: string | undefined;
}

export type Ending =
  /** The connection lives: a ping is answered, and a close frame. */
  | 'alive'
  /** Without any other frame the server ends the TCP connection, before the client does. */
  | 'over'
  /** The next frame is this close frame; then the same. */
  | Goodbye;

export interface Case {
  /** As in the Autobahn suite where that asks the same (`5.19`), or else its family and a number of our own (`5+1`). */
  readonly id: string;
  /** `RFC 6455 5.4`. */
  readonly section: string;
  /** The sentence. */
  readonly says: string;
  /** What the server does, in a few words: the name of the test. */
  readonly does: string;
  /** Made when it is played, since it may be many megabytes. */
  readonly steps: () => readonly Step[];
  readonly ends: Ending;
  /** Which route of the runner's it is played on. Default `/echo`. */
  readonly path?: string | undefined;
  /** The extension that is offered, and has to be agreed on; compressed frames of the server's are then received inflated. */
  readonly offer?: string | undefined;
}

/** Cases that show the same sentence. */
export function showing<C extends { readonly section: string; readonly says: string }>(
  section: string,
  says: string,
  cases: readonly Omit<C, 'section' | 'says'>[],
): C[] {
  return cases.map((one) => ({ ...one, section, says }) as C);
}

export function send(...parts: readonly Buffer[]): Step {
  return { send: parts.length === 1 ? parts[0]! : Buffer.concat(parts) };
}

/** One octet per write. */
export function octets(...parts: readonly Buffer[]): Step {
  return { send: Buffer.concat(parts), by: 1 };
}

export function receive(opcode: number, payload: Buffer | string = ''): Step {
  return { receive: { opcode, payload: typeof payload === 'string' ? Buffer.from(payload) : payload } };
}

/** A message in fragments of so many bytes: one piece of memory, since there may be a quarter of a million of them. */
export function fragmentsOf(opcode: number, payload: Buffer, by: number): Buffer {
  const header = frame({ opcode: 0, fin: false, length: by });
  const bytes = Buffer.allocUnsafe(payload.length + Math.ceil(payload.length / by) * header.length);
  let at = 0;
  for (let from = 0; from < payload.length; from += by) {
    const left = payload.length - from;
    if (from === 0 || left <= by) {
      const part = payload.subarray(from, from + by);
      at += frame({ opcode: from === 0 ? opcode : 0, payload: part, fin: left <= by }).copy(bytes, at);
      continue;
    }
    at += header.copy(bytes, at);
    const key = Math.imul(from + 1, 0x9e37_79b1);
    bytes.writeInt32BE(key, at - 4);
    for (let i = 0; i < by; i++) bytes[at++] = payload[from + i]! ^ (key >> (24 - 8 * (i & 3)));
  }
  return bytes.subarray(0, at);
}

/** Text of so many bytes with characters of every length in it, as UTF-8. */
export function textBytesOf(size: number): Buffer {
  const bytes = Buffer.alloc(size, 'Hello-µ@ßöäüàá-UTF-8!! κόσμε 𝄞 ');
  let end = size;
  // Not inside of a character.
  while (end > 0 && (bytes[end - 1]! & 0xc0) === 0x80) end--;
  if (end > 0 && bytes[end - 1]! >= 0xc0) end--;
  return bytes.fill('.', end);
}

export function textOf(size: number): string {
  return textBytesOf(size).toString();
}

/** So many bytes, with every octet among them. */
export function bytesOf(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  for (let i = 0; i < size; i++) bytes[i] = (i ^ (i >> 8) ^ (i >> 16)) & 0xff;
  return bytes;
}
