/** The upgrade door: for servers on which something else listens to `upgrade`, and for draft-76. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
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
  const isInside = compilePrefix(options.path);
  return (request, _socket, head) => {
    if (!isInside(pathnameOf(request) ?? '')) return;
    const { socket } = request;
    // Node has taken its own listener off: a reset before the response is out would end the process.
    const onError = (): void => {};
    socket.on('error', onError);
    const response = new ServerResponse(request);
    // Whoever is not accepted cannot go on with HTTP: the parser has left this socket.
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    rememberHead(request, head);
    response.once('finish', () => {
      response.detachSocket(socket);
      if (response.statusCode === 101) socket.removeListener('error', onError);
      else socket.destroySoon();
    });
    app(request, response);
  };
}
