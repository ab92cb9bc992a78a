/**
 * What one turn of the event loop writes to a connection leaves in one system call. Writes made while the connection's own
 * data is being handled leave at the end of that; all others leave together at the end of the turn, from here.
 */
/** Whom the queue calls. */
export interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];

export function flushAtEndOfTurn(writer: Flushable): void {
  if (waiting.push(writer) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  const writers = waiting;
  waiting = [];
  for (const writer of writers) writer.flush();
}
