import { resolve } from 'node:path';
import express, { type Express } from 'express';
import { acceptWebSocket, websocketRoute } from 'websocket-route';
import { Download } from './handlers/download.js';
import { EchoSocket } from './handlers/echo.js';
import { LineOriented } from './handlers/line-oriented.js';
import { pingRoute } from './handlers/ping.js';
import { PizzaSocket } from './handlers/pizza.js';
import { RpcSocket } from './handlers/rpc.js';
import { Telemetry } from './handlers/telemetry.js';
import { pizzaLogin } from './pizza-login.js';
import { pathOfShared } from './shared-files.js';

/** The pages in the source folder: the compiler does not copy them. `npm run demo` starts in the package's folder. */
const PAGES = resolve('demo-app', 'public');
/** Each page shows the source of the handler that it talks to. */
const HANDLERS = resolve('demo-app', 'handlers');

export function createApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(express.static(PAGES));
  // By its extension, a .ts file would be served as a video.
  app.use('/handlers', express.static(HANDLERS, { setHeaders: (response) => response.type('text') }));

  app.use(websocketRoute('/ws/:name', EchoSocket));
  app.use(websocketRoute('/lines', LineOriented));
  app.use(websocketRoute('/rpc', RpcSocket));
  app.use(websocketRoute('/telemetry', Telemetry));
  app.use(pingRoute);

  // Middleware mounted before a route runs before its handshake: the socket knows the session.
  app.use('/pizza', pizzaLogin());
  app.use(websocketRoute('/pizza', PizzaSocket));

  // By hand: other requests continue through the app, here to its 404.
  app.get('/files/:name', (request, response, next) => {
    const path = pathOfShared(request.params.name);
    if (path === undefined) next();
    else acceptWebSocket(request, response, Download, {}, path);
  });
  return app;
}
