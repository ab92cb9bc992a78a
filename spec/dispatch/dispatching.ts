/** A dispatcher without a connection: messages in, cut as one likes, units out. */
import type { Delimiter } from '../../lib/dispatch/delimiter.js';
import { Dispatcher } from '../../lib/dispatch/dispatcher.js';
import type { Unit } from '../../lib/dispatch/reader.js';
import type { DispatchSettings } from '../../lib/dispatch/reader-choice.js';
import { EntireMessage, type OverflowError, ProtocolError } from '../../lib/index.js';

export type Dispatched = ['read', ...unknown[]] | ['overflow', number] | ['fail', number];

export interface Reactions {
  /** Called in the place of `onRead`, after the event was noted. */
  read?: (dispatcher: Dispatcher, count: number) => void;
  overflow?: (dispatcher: Dispatcher, error: OverflowError) => void;
}

/** Where a message is cut: how many bytes (characters, for text) each frame has; 0 is the whole message in one go. */
export type Size = number;

export class Dispatching {
  readonly events: Dispatched[] = [];
  readonly dispatcher: Dispatcher;
  stale = 0;
  private reads = 0;

  constructor(readDelimiter: Delimiter, settings: Partial<DispatchSettings> = {}, reactions: Reactions = {}) {
    const read = (...values: unknown[]): void => {
      this.events.push(['read', ...values]);
      reactions.read?.(this.dispatcher, ++this.reads);
    };
    const all: DispatchSettings = {
      regexSearch: true,
      bufferSize: 65536,
      maxDelimiterLength: 1024,
      ...settings,
      readDelimiter,
    };
    this.dispatcher = new Dispatcher(all, {
      onUnit: (unit: Unit) => read(unit),
      onUnits: (values) => read(...values),
      onValues4: (count, ...values) => read(...values.slice(0, count)),
      onOverflow: (error) => {
        this.events.push(['overflow', error.limit]);
        reactions.overflow?.(this.dispatcher, error);
      },
      onStale: () => {
        this.stale++;
      },
    });
  }

  /** What was read, where each unit is one value. */
  get units(): unknown[] {
    return this.events.map((event) => (event[0] === 'read' ? event[1] : event));
  }

  /** A message, text for a string. In pieces each piece is a frame, and there is an empty one in the end. */
  message(data: string | Uint8Array, size: Size = 0): this {
    const kind = typeof data === 'string' ? 1 : 2;
    const pieces: Buffer[] = [];
    if (size > 0) {
      const parts: ArrayLike<unknown> = typeof data === 'string' ? [...data] : data;
      for (let at = 0; at < parts.length; at += size) {
        const part = Array.prototype.slice.call(parts, at, at + size);
        pieces.push(typeof data === 'string' ? Buffer.from(part.join('')) : Buffer.from(part as number[]));
      }
    }
    return this.attempt(() => {
      if (size === 0) {
        // Among other bytes, as in a chunk of TCP.
        const bytes = Buffer.concat([Buffer.from('??'), Buffer.from(data as string), Buffer.from('??')]);
        this.dispatcher.message(kind, bytes, 2, bytes.length - 2);
        return;
      }
      for (const piece of pieces) {
        this.dispatcher.frame(kind, piece.length);
        const bytes = Buffer.concat([Buffer.from('??'), piece, Buffer.from('??')]);
        this.dispatcher.data(kind, bytes, 2, bytes.length - 2);
        // The bytes of text must not be kept.
        if (kind === 1) bytes.fill(0x21);
      }
      this.dispatcher.frame(kind, 0);
      this.dispatcher.end(kind);
    });
  }

  attempt(run: () => void): this {
    if (this.events.at(-1)?.[0] === 'fail') return this;
    try {
      run();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.events.push(['fail', error.closeCode]);
      this.dispatcher.discard();
    }
    return this;
  }

  /** What was not delivered. */
  rest(): string {
    const before = this.events.length;
    this.dispatcher.readDelimiter = null;
    this.dispatcher.dispatchHeld();
    return this.events
      .splice(before)
      .map(([, data]) => String(data))
      .join('');
  }
}

export const CUTS: Size[] = [0, 1, 2, 3, 7, 1000];

export { EntireMessage };
