/** Maps each delimiter to its reader, once, when the delimiter is set. */
import { Opcode } from '../framing/opcode.js';
import { NetStruct } from '../struct/net-struct.js';
import { Struct } from '../struct/struct.js';
import { BinaryPattern, type Delimiter } from './delimiter.js';
import type { Reader } from './reader.js';
import { CountReader } from './readers/count-reader.js';
import { MatchReader } from './readers/match-reader.js';
import { entireReader, streamReader } from './readers/message-readers.js';
import { PatternReader } from './readers/pattern-reader.js';
import { SequenceReader } from './readers/sequence-reader.js';
import { NetStructReader, StructReader } from './readers/struct-readers.js';

export interface PatternSettings {
  /** True to search for the pattern, false to match it at the beginning. */
  readonly regexSearch: boolean;
  /** The maximum length of a delimiter found by searching, in characters. */
  readonly maxDelimiterLength: number;
}

export function readerFor(delimiter: Delimiter, settings: PatternSettings): Reader {
  if (delimiter === null) return streamReader;
  if (typeof delimiter === 'string' || delimiter instanceof Uint8Array) return new SequenceReader(delimiter);
  if (typeof delimiter === 'number') return new CountReader(delimiter);
  if (delimiter instanceof Struct) return new StructReader(delimiter);
  if (delimiter instanceof NetStruct) return new NetStructReader(delimiter);
  if (delimiter instanceof RegExp) return patternReader(delimiter, Opcode.Text, settings);
  if (delimiter instanceof BinaryPattern) return patternReader(delimiter.pattern, Opcode.Binary, settings);
  return entireReader;
}

function patternReader(
  pattern: RegExp,
  kind: typeof Opcode.Text | typeof Opcode.Binary,
  settings: PatternSettings,
): Reader {
  const { regexSearch, maxDelimiterLength } = settings;
  return regexSearch
    ? new PatternReader(pattern, kind, maxDelimiterLength)
    : new MatchReader(pattern, kind, maxDelimiterLength);
}
