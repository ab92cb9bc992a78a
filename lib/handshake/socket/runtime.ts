/**
 * Runtimes whose HTTP server is not Node's and does not release a socket, such as Bun. After a 101 such a server
 * would write HTTP into the open WebSocket, so requests from the `request` event are refused. For an `upgrade` event
 * the runtime releases the socket itself.
 */
import { type Log, logError } from '../../log.js';
import { type PlainRefusal, refuse } from '../refusal.js';

let isTold = false;

/** Logs one line only: clients can cause this as often as they like. */
export function refuseUnknownRuntime(log: Log): PlainRefusal {
  if (!isTold) {
    isTold = true;
    logError(
      'handshakes are refused with 501',
      'the HTTP server of this runtime does not release their sockets. ' +
        "Add server.on('upgrade', upgradeListener(app)), for which it does.",
      log,
    );
  }
  return refuse(501, 'runtime', 'WebSockets need upgradeListener(app) in this runtime: see the log of the server.');
}
