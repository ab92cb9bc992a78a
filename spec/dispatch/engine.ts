/**
 * Parser and dispatcher without a connection, for whoever counts their work: imported once the counting has begun, because
 * what was compiled before is not counted.
 */
import type { Delimiter } from '../../lib/dispatch/delimiter.js';
import { Dispatcher } from '../../lib/dispatch/dispatcher.js';
import type { DispatchSettings } from '../../lib/dispatch/reader-choice.js';
import { ProtocolError } from '../../lib/errors.js';
import { Draft76Parser } from '../../lib/framing/draft76/draft76-parser.js';
import { FrameParser } from '../../lib/framing/frame-parser.js';
import type { ControlSink, Parser } from '../../lib/framing/sink.js';

export { BinaryPattern, EntireMessage } from '../../lib/dispatch/delimiter.js';
export { ReadBuffer } from '../../lib/dispatch/read-buffer.js';
export { NetStruct } from '../../lib/struct/net-struct.js';
export { Struct } from '../../lib/struct/struct.js';
export { quadratic } from './quadratic-readers.js';

export interface Engine {
  readonly parser: Parser;
  readonly dispatcher: Dispatcher;
  /** How many units were delivered. */
  units: number;
  /** A unit was delivered that makes reading wait. */
  pending: boolean;
  /** The close code, once the peer has made a mistake. */
  failed: number | undefined;
}

export interface EngineSettings extends Partial<DispatchSettings> {
  readonly draft76?: boolean;
  /** Whether each unit makes reading wait until its chunk has been fed. */
  readonly pauses?: boolean;
}

export function createEngine(readDelimiter: Delimiter, settings: EngineSettings = {}): Engine {
  const { draft76 = false, pauses = false, ...others } = settings;
  const unit = (): void => {
    engine.units++;
    if (!pauses) return;
    engine.pending = true;
    engine.parser.pause();
    engine.dispatcher.pause();
  };
  const dispatcher = new Dispatcher(
    { regexSearch: true, bufferSize: 1 << 30, maxDelimiterLength: 8, ...others, readDelimiter },
    { onUnit: unit, onUnits: unit, onValues4: unit, onOverflow() {}, onStale() {} },
  );
  const controls: ControlSink = { ping() {}, pong() {}, closed() {} };
  const parser = draft76 ? new Draft76Parser(dispatcher, controls) : new FrameParser(dispatcher, controls);
  const engine: Engine = { parser, dispatcher, units: 0, pending: false, failed: undefined };
  return engine;
}

/** Feeds it the chunks, until one of them is a mistake. The parser unmasks in place, so they are used up. */
export function feed(engine: Engine, chunks: readonly Buffer[]): void {
  const { parser, dispatcher } = engine;
  try {
    for (const chunk of chunks) {
      parser.feed(chunk);
      while (engine.pending) {
        engine.pending = false;
        dispatcher.resume();
        if (!engine.pending) parser.resume();
      }
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    engine.failed = error.closeCode;
  }
}
