/** What the stream adaptors need of a connection. */
export interface Endpoint<In, Out> {
  messages(): AsyncIterator<In, undefined>;
  write(data: Out): boolean;
  drained(): Promise<void>;
  close(code?: number): void;
}
