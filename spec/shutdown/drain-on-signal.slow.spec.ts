/** A process that is told to end: real processes, and real signals. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { WebSocket } from 'ws';
import { type Built, build, type Program, start } from '../support/built.js';

describe('a process', () => {
  let built: Built;
  beforeAll(async () => {
    built = await build();
  });
  afterAll(() => built.remove());

  const HEAD = `
    import { subscribe } from 'node:diagnostics_channel';
    import { createServer } from 'node:http';
    import { drain, drainOnSignal, websocketRoute } from 'websocket-route';
    const listening = (server) => server.listen(0, '127.0.0.1', () => console.log(server.address().port));
    subscribe('websocket-route:drain', ({ phase }) => console.log(phase));
  `;
  let programs = 0;
  const run = (text: string): Promise<Program> => start(built, `drain-${++programs}.mjs`, HEAD + text);

  async function websocket(port: string): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    await once(socket, 'open');
    return socket;
  }

  const ECHO = `
    const route = websocketRoute('/ws', { onRead(data) { this.write(data); } });
    const server = createServer((request, response) =>
      route(request, response, () => {
        console.log(request.url);
        if (request.url === '/slow') server.once('finish it', () => response.end('slow'));
        else response.end('a page');
      }));
  `;

  it.each(['SIGTERM', 'SIGINT'] as const)('ends by itself, with code 0, after %s', async (signal) => {
    const program = await run(`${ECHO}
      drainOnSignal(server, ['SIGTERM', 'SIGINT'], { jitter: 50 });
      listening(server);`);
    const socket = await websocket(await program.line());
    const gone = once(socket, 'close');
    program.process.kill(signal);
    expect((await gone)[0]).toBe(1001);
    expect(await program.ended).toBe(0);
    expect([await program.line(), await program.line(), program.errors()]).toEqual(['start', 'end', '']);
  });

  it('ends also where HTTP connections are kept alive, or ask nothing', async () => {
    const program = await run(`${ECHO}
      drainOnSignal(server, ['SIGTERM'], { timeout: 1000, jitter: 0 });
      subscribe('websocket-route:drain', ({ phase }) => phase === 'end' && setImmediate(() => server.emit('finish it')));
      server.keepAliveTimeout = 600_000;
      listening(server);`);
    const port = await program.line();
    const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const [idle, slow, silent, half] = Array.from({ length: 4 }, () => connectTcp(Number(port), '127.0.0.1'));
    const ends = [idle, slow, silent, half].map((one) => {
      one?.on('error', () => {});
      one?.resume();
      return new Promise((resolve) => one?.on('close', resolve));
    });
    half?.write('GET /never');
    idle?.write(ask('/page'));
    await once(idle!, 'data');
    expect(await program.line()).toBe('/page');
    slow?.write(ask('/slow'));
    expect(await program.line()).toBe('/slow');
    program.process.kill();
    expect(String((await once(slow!, 'data'))[0])).toContain('slow');
    await Promise.all(ends);
    expect(await program.ended).toBe(0);
  });

  it('answers HTTP with Connection: close from the signal on', async () => {
    const program = await run(`${ECHO}
      drainOnSignal(server, ['SIGTERM'], { jitter: 0 });
      listening(server);`);
    const port = await program.line();
    const socket = await websocket(port);
    const answer = (): Promise<IncomingMessage> =>
      new Promise((resolve, reject) =>
        get(`http://127.0.0.1:${port}/`, (response) => resolve(response.resume())).on('error', reject),
      );
    expect((await answer()).headers.connection).toBe('keep-alive');
    expect(await program.line()).toBe('/');
    // Who does not read does not say goodbye: the server drains.
    socket.pause();
    program.process.kill();
    expect(await program.line()).toBe('start');
    expect((await answer()).headers.connection).toBe('close');
    socket.resume();
    expect(await program.ended).toBe(0);
  });

  it('is ended at once by a second signal', async () => {
    const program = await run(`
      const server = createServer(websocketRoute({ onRead: () => new Promise(() => console.log('busy')) }));
      drainOnSignal(server, ['SIGTERM', 'SIGINT'], { timeout: 600_000 });
      listening(server);`);
    const socket = await websocket(await program.line());
    socket.on('error', () => {});
    socket.send('work');
    expect(await program.line()).toBe('busy');
    program.process.kill('SIGINT');
    expect(await program.line()).toBe('start');
    // Within 100 ms it is the first one once more.
    const again = setInterval(() => program.process.kill('SIGTERM'), 20);
    expect(await program.ended).toBe('SIGTERM');
    clearInterval(again);
  });

  it('takes for one signal what npm or a primary passes on to a process that has it already', async () => {
    const program = await run(`${ECHO}
      drainOnSignal(server, ['SIGTERM', 'SIGINT'], { jitter: 0 });
      listening(server);`);
    const socket = await websocket(await program.line());
    const gone = once(socket, 'close');
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) program.process.kill(signal);
    expect((await gone)[0]).toBe(1001);
    expect(await program.ended).toBe(0);
  });

  describe('with the option exit', () => {
    const KEPT = `setInterval(() => {}, 1000); ${ECHO}`;

    it('ends whatever keeps it, with process.exitCode', async () => {
      const program = await run(`${KEPT}
        drainOnSignal(server, ['SIGTERM'], { jitter: 0, exit: true });
        process.exitCode = 7;
        listening(server);`);
      const socket = await websocket(await program.line());
      const gone = once(socket, 'close');
      program.process.kill();
      expect((await gone)[0]).toBe(1001);
      expect(await program.ended).toBe(7);
      expect([await program.line(), await program.line(), program.errors()]).toEqual(['start', 'end', '']);
    });

    it('ends also before it listens', async () => {
      const program = await run(`${KEPT}
        drainOnSignal(server, ['SIGTERM'], { exit: true });
        console.log('here');`);
      expect(await program.line()).toBe('here');
      program.process.kill();
      expect(await program.ended).toBe(0);
    });

    it('closes a database when the last WebSocket has gone, and waits for it', async () => {
      const program = await run(`${KEPT}
        subscribe('websocket-route:close', () => console.log('closed'));
        const close = async () => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          console.log('database');
        };
        drainOnSignal(server, ['SIGTERM'], { jitter: 0, exit: close });
        listening(server);`);
      await websocket(await program.line());
      program.process.kill();
      const lines = [await program.line(), await program.line(), await program.line(), await program.line()];
      expect(lines).toEqual(['start', 'closed', 'end', 'database']);
      expect(await program.ended).toBe(0);
    });

    it('ends with 1, and says why, where the database cannot be closed', async () => {
      const program = await run(`${KEPT}
        drainOnSignal(server, ['SIGTERM'], { exit: async () => { throw new Error('no such database'); } });
        listening(server);`);
      await program.line();
      program.process.kill();
      expect(await program.ended).toBe(1);
      expect(program.errors()).toContain('websocket-route: exit of drainOnSignal: Error: no such database');
    });

    it('waits for all of its servers, whichever of them wants the end', async () => {
      const program = await run(`
        setInterval(() => {}, 1000);
        const quick = createServer(websocketRoute({}));
        const slow = createServer(websocketRoute({ onClose: () => new Promise((done) => setTimeout(done, 100)) }));
        drainOnSignal(quick, ['SIGTERM'], { jitter: 0, exit: true });
        drainOnSignal(slow, ['SIGTERM'], { jitter: 0 });
        process.on('exit', () => console.log('exit'));
        for (const server of [quick, slow]) listening(server);`);
      const sockets = [await websocket(await program.line()), await websocket(await program.line())];
      const codes = Promise.all(sockets.map(async (socket) => (await once(socket, 'close'))[0]));
      program.process.kill();
      expect(await codes).toEqual([1001, 1001]);
      const lines = [];
      for (let i = 0; i < 5; i++) lines.push(await program.line());
      expect(lines).toEqual(['start', 'start', 'end', 'end', 'exit']);
      expect(await program.ended).toBe(0);
    });

    it('does not wait beyond the deadline for connections that are not its own', async () => {
      const program = await run(`
        const server = createServer(websocketRoute('/ws', {}));
        server.on('connect', (request, socket) => socket.write('HTTP/1.1 200 OK\\r\\n\\r\\n'));
        drainOnSignal(server, ['SIGTERM'], { timeout: 300, jitter: 0, exit: true });
        listening(server);`);
      const tunnel = connectTcp(Number(await program.line()), '127.0.0.1');
      tunnel.on('error', () => {}).write('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n');
      await once(tunnel, 'data');
      program.process.kill();
      expect(await program.ended).toBe(0);
    });
  });

  it('drains all of its servers', async () => {
    const program = await run(`
      const route = websocketRoute({});
      for (const server of [createServer(route), createServer(route)]) {
        drainOnSignal(server, ['SIGTERM', 'SIGINT'], { jitter: 0 });
        listening(server);
      }`);
    const sockets = [await websocket(await program.line()), await websocket(await program.line())];
    const codes = Promise.all(sockets.map(async (socket) => (await once(socket, 'close'))[0]));
    program.process.kill();
    expect(await codes).toEqual([1001, 1001]);
    expect(await program.ended).toBe(0);
  });

  it('a process that is told to end before it listens ends, too', async () => {
    const program = await run(`${ECHO}
      drainOnSignal(server);
      process.once('SIGTERM', () => setTimeout(listening, 50, server));
      const starting = setInterval(() => {}, 1000);
      server.once('listening', () => clearInterval(starting));
      console.log('here');`);
    expect(await program.line()).toBe('here');
    program.process.kill();
    expect(await program.ended).toBe(0);
  });

  it('lives until drain is settled, though nothing else keeps it', async () => {
    const program = await run(`
      const server = createServer(websocketRoute({ onClose: () => new Promise(() => console.log('closing')) }));
      listening(server);
      await new Promise((resolve) => process.once('SIGTERM', resolve));
      server.close();
      console.log(JSON.stringify(await drain(server, { timeout: 300, jitter: 0 })));`);
    const socket = await websocket(await program.line());
    program.process.kill();
    expect((await once(socket, 'close'))[0]).toBe(1001);
    expect(await Promise.all([program.line(), program.line(), program.line()])).toEqual(['start', 'closing', 'end']);
    expect(await program.line()).toBe('{"closed":0,"terminated":1}');
    expect(await program.ended).toBe(0);
  });
});
