/** On a runtime whose server does not let go of a socket as Node's does. `spec/nodes/doors.mjs` runs on real ones. */
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { acceptWebSocket, upgradeListener, type WebSocketHandler, websocketRoute } from '../../../lib/index.js';
import { text } from '../../support/frames.js';
import { RawClient } from '../../support/raw-client.js';
import { type Running, serve } from '../../support/server.js';

let logged: jest.SpyInstance;
beforeEach(() => {
  logged = jest.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(() => jest.restoreAllMocks());

const echo = {
  onRead(this: WebSocketHandler, data: string | Buffer) {
    this.write(data);
  },
};
const route = websocketRoute('/ws', echo);

/** As another runtime has it: the same listeners, by other names. */
function rename(socket: Socket): void {
  for (const listener of socket.listeners('close')) {
    socket.removeListener('close', listener as () => void);
    socket.on('close', (...args: unknown[]) => Reflect.apply(listener, socket, args));
  }
}

async function serveElsewhere(): Promise<Running> {
  const server = createServer(route);
  server.on('connection', rename);
  return serve(server);
}

describe('a server that does not let go of its sockets', () => {
  it('opens no WebSocket by the request door, and says once in the log which door to take', async () => {
    const server = await serveElsewhere();
    for (let i = 0; i < 2; i++) {
      const client = await RawClient.connect(server);
      const response = await client.handshake('/ws');
      expect(response).toMatchObject({ status: 501, body: expect.stringContaining('upgradeListener(app)') });
      // It is HTTP still.
      client.send('GET /ws HTTP/1.1\r\nHost: a\r\n\r\n');
      await expect(client.response()).toBeRefusedWith(426);
    }
    const lines = logged.mock.calls.map((words) => words.join(' '));
    expect(lines).toEqual([expect.stringContaining("server.on('upgrade', upgradeListener(app))")]);
  });

  it('opens them by the upgrade door', async () => {
    const server = await serveElsewhere();
    server.server.on('upgrade', upgradeListener(route));
    const client = await RawClient.open(server, '/ws');
    client.send(text('here'));
    expect(await client.nextText()).toBe('here');
    expect(logged).not.toHaveBeenCalled();
  });
});

it('a listener of the user’s own may accept by hand, since Node has let go of the socket by then', async () => {
  const { ServerResponse } = await import('node:http');
  const server = createServer();
  server.on('upgrade', (request) => {
    const response = new ServerResponse(request);
    response.assignSocket(request.socket);
    acceptWebSocket(request, response, echo);
  });
  const client = await RawClient.open(await serve(server), '/ws');
  client.send(text('by hand'));
  expect(await client.nextText()).toBe('by hand');
});
