/**
 * Runtimes whose HTTP server is not Node's, and keeps its hold on a socket by other means: Bun. After a 101 such a server would
 * write HTTP into the open WebSocket, so by the request door none is opened. At the upgrade door the runtime itself lets go.
 */
import { type Log, logError } from '../../log.js';
import { type PlainRefusal, refuse } from '../refusal.js';

let isTold = false;

/** Strangers can ask as often as they like: the log gets one line. */
export function refuseUnknownRuntime(log: Log): PlainRefusal {
  if (!isTold) {
    isTold = true;
    logError(
      'handshakes are refused with 501',
      'the HTTP server of this runtime does not let go of their sockets. ' +
        "Add server.on('upgrade', upgradeListener(app)): there it does.",
      log,
    );
  }
  return refuse(
    501,
    'runtime',
    'WebSockets need upgradeListener(app) in this runtime: the server has a line about it in its log.',
  );
}
