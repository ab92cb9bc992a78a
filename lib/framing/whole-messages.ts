/**
 * The short way through the parser, for messages of one frame that lie whole in the chunk: no state is needed for them.
 * Where the bytes stand in the memory that sockets read into, several are found and unmasked at a time.
 */
import { COLUMNS, type FrameScanner, MAX_FRAMES, NOT_ASCII } from './frame-scanner.js';
import { Opcode } from './opcode.js';
import type { MessageSink } from './sink.js';
import { invalidUtf8, isText, Utf8Validator } from './utf8.js';

/** Short texts are cut from one string of so many characters: no more than that is kept for one of them that is. */
const WINDOW = 1024;

/** The parser, as far as this needs it. */
export interface MessageReader {
  readonly messages: MessageSink;
  /** Whether to stop in front of the next frame. */
  readonly paused: boolean;
  readonly discarding: boolean;
  /** Whether more than one message may be unmasked at a time. */
  scansAhead: boolean;
}

/** @returns where the last message ends that was delivered: `at` where there is none */
export function readWholeMessages(
  reader: MessageReader,
  scanner: FrameScanner,
  bytes: Buffer,
  at: number,
  end: number,
): number {
  // Where a message has paused the parser the next one may as well: what was unmasked for nothing would be masked
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
  // The characters before the mistake are delivered, as they would have been had they come alone.
  messages.frame(Opcode.Text, end - start);
  new Utf8Validator().write(bytes, start, end, messages);
  throw invalidUtf8();
}
