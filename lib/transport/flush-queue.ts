/**
 * Sends all writes of one turn of the event loop to a connection in one system call. Writes made while the connection's
 * own data is processed leave when that is done. This queue flushes all others at the end of the turn.
 */
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
