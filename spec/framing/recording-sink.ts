/** A sink that writes down what a parser calls, in a form that does not show how the bytes were cut. */
import { ProtocolError } from '../../lib/errors.js';
import type { MessageKind } from '../../lib/framing/opcode.js';
import { simdScanner } from '../../lib/framing/scan/simd-scan.js';
import type { ControlSink, MessageSink, Parser } from '../../lib/framing/sink.js';
import type { BorrowedBytes } from '../../lib/memory/borrowed-bytes.js';
import { type Chunk, lend, READ_BUFFER } from '../../lib/memory/shared-read-buffer.js';

export type Happened =
  | [name: 'data', kind: MessageKind, bytes: string]
  | [name: 'end', kind: MessageKind]
  | [name: 'ping' | 'pong', payload: string]
  | [name: 'closed', code: number, reason: string]
  | [name: 'fail', code: number];

export class RecordingSink implements MessageSink, ControlSink {
  readonly happened: Happened[] = [];
  /** The lengths that frames announced, as far as they were announced. */
  readonly announced: number[] = [];
  /** Whether small fragments may come as one frame. */
  joinsFragments = false;
  /** Called after each event that reaches a user. */
  afterwards: (name: Happened[0]) => void = () => {};

  message(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number, unit?: string): void {
    if (unit !== undefined && unit !== bytes.toString('utf8', start, end)) throw new Error('it is another one');
    if (start < end) this.add(kind, bytes.toString('latin1', start, end));
    this.happened.push(['end', kind]);
    this.afterwards('end');
  }

  frame(_kind: MessageKind, length: number): void {
    this.announced.push(length);
  }

  data(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): void {
    if (start === end) throw new Error('data without bytes');
    this.add(kind, bytes.toString('latin1', start, end));
    this.afterwards('data');
  }

  end(kind: MessageKind): void {
    this.happened.push(['end', kind]);
    this.afterwards('end');
  }

  ping(payload: Buffer): void {
    this.happened.push(['ping', payload.toString('latin1')]);
    this.afterwards('ping');
  }

  pong(payload: Buffer): void {
    this.happened.push(['pong', payload.toString('latin1')]);
    this.afterwards('pong');
  }

  closed(code: number, reason: string): void {
    this.happened.push(['closed', code, reason]);
    this.afterwards('closed');
  }

  private add(kind: MessageKind, bytes: string): void {
    const last = this.happened.at(-1);
    if (last?.[0] === 'data' && last[1] === kind) last[2] += bytes;
    else this.happened.push(['data', kind, bytes]);
  }
}

export type MakeParser = (messages: MessageSink, controls: ControlSink) => Parser;

/** Where to cut: the lengths of the pieces, the last of which is whatever is left. */
export type Cut = (total: number) => number[];

export const whole: Cut = (total) => [total];
export const byteByByte: Cut = (total) => new Array<number>(total).fill(1);

/** How a piece reaches the parser, which unmasks in place: as memory of its own, or as memory that is lent. */
export type Give = (piece: Uint8Array) => Chunk;

export const own: Give = (piece) => Buffer.from(piece);

let used = 0;

/** At most 512 KiB. What is kept of it afterwards is seen to be wrong: the next piece takes its place. */
export const lent: Give = (piece) => {
  READ_BUFFER.fill(0xee, 0, used);
  READ_BUFFER.set(piece);
  used = piece.length;
  return lend(piece.length);
};

/** What becomes of `bytes` when they arrive in these pieces: the same, whoever the memory belongs to. */
export function parse(make: MakeParser, bytes: Uint8Array, cut: Cut = whole, joins = false): Happened[] {
  // Without SIMD it is the same code that reads both.
  if (simdScanner === undefined) return parseGiven(make, bytes, cut, joins, lent);
  const happened = parseGiven(make, bytes, cut, joins, own);
  expect(parseGiven(make, bytes, cut, joins, lent)).toEqual(happened);
  return happened;
}

function parseGiven(make: MakeParser, bytes: Uint8Array, cut: Cut, joins: boolean, give: Give): Happened[] {
  const sink = new RecordingSink();
  sink.joinsFragments = joins;
  const parser = make(sink, sink);
  let at = 0;
  for (const length of [...cut(bytes.length), bytes.length]) {
    const stop = Math.min(bytes.length, at + length);
    for (; at < stop; at = Math.min(stop, at + READ_BUFFER.length)) {
      const piece = give(bytes.subarray(at, Math.min(stop, at + READ_BUFFER.length)));
      const code = failure(() => parser.feed(piece));
      if (code === undefined) continue;
      sink.happened.push(['fail', code]);
      return sink.happened;
    }
  }
  return sink.happened;
}

/** The close code of the `ProtocolError` that `run` throws. */
export function failure(run: () => void): number | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.closeCode;
    throw error;
  }
  return undefined;
}

/** Random numbers that are the same in each run. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export function randomCut(random: (below: number) => number, most: number): Cut {
  return (total) => {
    const lengths: number[] = [];
    for (let left = total; left > 0; ) {
      const length = Math.min(left, 1 + random(most));
      lengths.push(length);
      left -= length;
    }
    return lengths;
  };
}
