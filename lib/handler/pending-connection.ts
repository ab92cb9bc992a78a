/**
 * Stands in for the connection until the handshake completes: holds the negotiated properties and the read settings.
 * The connection is created afterwards, so that a refusal does not pay for one.
 */
import type { ConnectionSettings } from '../connection/hooks.js';
import type { Negotiated } from '../connection/negotiated.js';
import { checkBufferSize, checkDelimiter, checkRegexSearch, type Delimiter } from '../dispatch/delimiter.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';

export class PendingConnection {
  readonly settings: ConnectionSettings;
  readonly negotiated: Negotiated;
  private delimiter: Delimiter;
  private search: boolean;
  private size: number;
  private controller: AbortController | undefined = undefined;

  constructor(settings: ConnectionSettings, negotiated: Negotiated) {
    this.settings = settings;
    this.negotiated = negotiated;
    this.delimiter = settings.readDelimiter;
    this.search = settings.regexSearch;
    this.size = settings.bufferSize;
  }

  get readDelimiter(): Delimiter {
    return this.delimiter;
  }

  set readDelimiter(value: Delimiter) {
    checkDelimiter(value);
    this.delimiter = value;
  }

  get regexSearch(): boolean {
    return this.search;
  }

  set regexSearch(value: boolean) {
    checkRegexSearch(value);
    this.search = value;
  }

  get bufferSize(): number {
    return this.size;
  }

  set bufferSize(value: number) {
    checkBufferSize(value);
    this.size = value;
  }

  get bufferedAmount(): number {
    return 0;
  }

  get dropped(): number {
    return 0;
  }

  /** Becomes the signal of the connection. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    return this.controller.signal;
  }

  /** Passes on the settings that the handler made, and the signal that it was given. */
  handOver(connection: { readonly dispatcher: Dispatcher; readonly signal: AbortSignal }): void {
    const { settings, controller } = this;
    const { dispatcher } = connection;
    if (this.delimiter !== settings.readDelimiter) dispatcher.readDelimiter = this.delimiter;
    if (this.search !== settings.regexSearch) dispatcher.regexSearch = this.search;
    if (this.size !== settings.bufferSize) dispatcher.bufferSize = this.size;
    if (controller === undefined) return;
    const { signal } = connection;
    signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
  }
}
