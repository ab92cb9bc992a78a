/** The upgrade door: for servers on which something else listens to `upgrade`, and for draft-76. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { invalidArgument } from '../errors.js';
import { rememberHead } from './heads.js';
import { pathnameOf } from './path.js';
import { compilePrefix } from './prefix.js';

export interface UpgradeListenerOptions {
  /**
   * Requests for this path, and for paths below it, are answered here: what no route claims gets the app's own 404. All others
   * are left to the other listeners. Default: every request is answered here.
   */
  path?: string | readonly string[] | undefined;
}

/**
 * A listener for a server's `upgrade` event that lets the request run through the app, with a response of its own, as if it
 * were any other. Needed only where another library listens to `upgrade` on the same server (socket.io, Vite, a proxy), since
 * Node then takes upgrade requests away from the app; and for clients that speak draft-76.
 *
 * @param app an Express or Connect app, or any listener of requests
 * @example
 * const server = app.listen(8080);
 * new Server(server); // socket.io
 * server.on('upgrade', upgradeListener(app, { path: '/ws' }));
 */
export function upgradeListener(
  app: (request: IncomingMessage, response: ServerResponse) => unknown,
  options: UpgradeListenerOptions = {},
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  if (typeof app !== 'function') throw invalidArgument('app', app, 'give an Express or Connect app');
  checkOptions(options);
  const isInside = compilePrefix(options.path);
  return (request, _socket, head) => {
    if (!isInside(pathnameOf(request) ?? '')) return;
    const { socket } = request;
    // Node has taken its own listener off: a reset before the response is out would end the process.
    socket.on('error', ignore);
    const response = new ServerResponse(request);
    // Whoever is not accepted cannot go on with HTTP: the parser has left this socket.
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    rememberHead(request, head);
    response.once('finish', () => {
      response.detachSocket(socket);
      if (response.statusCode !== 101) socket.destroySoon();
    });
    app(request, response);
  };
}

/** A reset or a broken pipe: `close` follows, and tells all there is to tell. */
function ignore(): void {}

/** A misspelt `path` would answer every request, and so break the other listeners. */
function checkOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null)
    throw invalidArgument('options', options, 'it must be an object');
  for (const name of Object.keys(options)) {
    if (name !== 'path') throw invalidArgument('option', name, 'it is unknown; the only option is path');
  }
}
