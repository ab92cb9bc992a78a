/**
 * The fast path of the parser, for single-frame messages that are complete in the chunk and so need no state. In the
 * memory that sockets read into, several messages are found and unmasked at a time.
 */

import { Opcode } from './opcode.js';
import { COLUMNS, type FrameScanner, MAX_FRAMES, NOT_ASCII } from './scan/frame-scanner.js';
import type { MessageSink } from './sink.js';
import { invalidUtf8, isText, Utf8Validator } from './utf8.js';

/** Short texts are sliced from a string of this many characters, the most that a kept text holds in memory. */
const WINDOW = 1024;

/** The part of the parser that the fast path uses. */
export interface MessageReader {
  readonly messages: MessageSink;
  /** Whether to stop before the next frame. */
  readonly paused: boolean;
  readonly discarding: boolean;
  /** Whether more than one message may be unmasked at a time. */
  scansAhead: boolean;
}

/** @returns the end of the last message delivered, or `at` if there is none */
export function readWholeMessages(
  reader: MessageReader,
  scanner: FrameScanner,
  bytes: Buffer,
  at: number,
  end: number,
): number {
  // If a message has paused the parser, the next one may do so too, and messages unmasked too early must be masked
  // again.
  const count = scanner.scan(bytes, at, end, reader.scansAhead ? MAX_FRAMES : 1);
  reader.scansAhead = true;
  if (count === 0) return at;
  const { table } = scanner;
  const { messages } = reader;
  const last = table[(count - 1) * COLUMNS + 1]!;
  let window = '';
  let from = 0;
  let to = 0;
  for (let entry = 0; entry < count * COLUMNS; entry += COLUMNS) {
    const start = table[entry]!;
    const stop = table[entry + 1]!;
    const first = table[entry + 2]!;
    if ((first & 0x0f) === Opcode.Binary) {
      messages.message(Opcode.Binary, bytes, start, stop);
    } else if ((first & NOT_ASCII) !== 0) {
      readText(messages, bytes, start, stop);
    } else {
      if (stop > to) {
        from = start;
        to = stop - start > WINDOW ? stop : Math.min(last, start + WINDOW);
        window = bytes.toString('latin1', from, to);
      }
      messages.message(Opcode.Text, bytes, start, stop, window.slice(start - from, stop - from));
    }
    if (reader.paused || reader.discarding) {
      for (let next = entry + COLUMNS; next < count * COLUMNS; next += COLUMNS) {
        scanner.mask(bytes, table[next]!, table[next + 1]!, table[next + 3]!);
      }
      reader.scansAhead = false;
      return stop;
    }
  }
  return last;
}

function readText(messages: MessageSink, bytes: Buffer, start: number, end: number): void {
  if (isText(bytes, start, end)) {
    messages.message(Opcode.Text, bytes, start, end);
    return;
  }
  // Deliver the characters before the invalid byte, as if they had arrived alone.
  messages.frame(Opcode.Text, end - start);
  new Utf8Validator().write(bytes, start, end, messages);
  throw invalidUtf8();
}
