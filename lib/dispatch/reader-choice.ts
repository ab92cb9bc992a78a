/** Holds the read settings, which the user may change at any time, and chooses the reader for them. */
import {
  BinaryPattern,
  checkBufferSize,
  checkDelimiter,
  checkRegexSearch,
  type Delimiter,
  EntireMessage,
} from './delimiter.js';
import type { ReadSettings } from './read-settings.js';
import type { Reader } from './reader.js';
import { readerFor } from './reader-table.js';
import { entireReader } from './readers/message-readers.js';

export interface DispatchSettings extends Readonly<ReadSettings> {
  readonly maxDelimiterLength: number;
}

export abstract class ReaderChoice {
  protected reader: Reader;
  /** The maximum size of one unit, in bytes. */
  limit: number;
  private delimiter: Delimiter;
  private search: boolean;
  private size: number;
  private readonly maxDelimiterLength: number;

  constructor(settings: DispatchSettings) {
    this.delimiter = settings.readDelimiter;
    this.search = settings.regexSearch;
    this.size = settings.bufferSize;
    this.maxDelimiterLength = settings.maxDelimiterLength;
    this.reader = this.createReader();
    this.limit = this.reader.limit(this.size);
  }

  protected abstract onReaderChanged(): void;
  protected abstract onLimitLowered(): void;

  get readDelimiter(): Delimiter {
    return this.delimiter;
  }

  set readDelimiter(value: Delimiter) {
    checkDelimiter(value);
    if (value === this.delimiter && !isMutable(value)) return;
    this.delimiter = value;
    this.renewReader();
  }

  get regexSearch(): boolean {
    return this.search;
  }

  set regexSearch(value: boolean) {
    checkRegexSearch(value);
    if (value === this.search) return;
    this.search = value;
    // Other delimiters do not depend on it, and the memory of a byte delimiter may have been transferred since it was
    // read.
    if (this.delimiter instanceof RegExp || this.delimiter instanceof BinaryPattern) this.renewReader();
  }

  get bufferSize(): number {
    return this.size;
  }

  set bufferSize(value: number) {
    checkBufferSize(value);
    this.size = value;
    const { limit } = this;
    this.limit = this.reader.limit(value);
    if (this.limit < limit) this.onLimitLowered();
  }

  private renewReader(): void {
    this.reader = this.createReader();
    this.limit = this.reader.limit(this.size);
    this.onReaderChanged();
  }

  private createReader(): Reader {
    // Most connections never use another reader.
    if (this.delimiter === EntireMessage) return entireReader;
    return readerFor(this.delimiter, { regexSearch: this.search, maxDelimiterLength: this.maxDelimiterLength });
  }
}

/** Whether the user may have changed the object since it was set. */
function isMutable(value: Delimiter): boolean {
  return value instanceof RegExp || value instanceof BinaryPattern || value instanceof Uint8Array;
}
