/**
 * Values that cannot be looked at, thrown, rejected with and returned by everything of the user's that the library calls. Reporting
 * them ends no process. Here that would be jest's: so it is another one, which counts what reaches `process`.
 */
import { type Built, build, start } from '../support/built.js';

const PROGRAM = `
  import { subscribe, unsubscribe } from 'node:diagnostics_channel';
  import { once } from 'node:events';
  import { createServer } from 'node:http';
  import { inspect } from 'node:util';
  import express from 'express';
  import { WebSocket } from 'ws';
  import { upgradeListener, WebSocketHandler, websocketRoute } from 'websocket-route';

  const [mode] = process.argv.slice(2);
  const faults = [];
  let combination = '';
  const blame = (what) => (error) => faults.push(combination + ': ' + what + ' ' + describe(error));
  process.on('uncaughtException', blame('uncaught')).on('unhandledRejection', blame('unhandled'));

  // What becomes of the console.
  const broken = () => { throw new Error('the console is broken'); };
  if (mode === 'a console that throws') console.error = broken;
  if (mode === 'a console that rejects') console.error = async () => broken();
  if (mode === 'a console without error') delete console.error;
  if (mode === 'a console that looks closely') console.error = (...args) => args.map((arg) => [String(arg), inspect(arg), arg.stack, arg.cause]);

  const revoked = (target) => { const { proxy, revoke } = Proxy.revocable(target, {}); revoke(); return proxy; };
  const getter = (target, name, get = broken) => Object.defineProperty(target, name, { get, configurable: true });
  const traps = Object.fromEntries(Object.getOwnPropertyNames(Reflect).map((name) => [name, broken]));
  const VALUES = {
    'undefined': undefined,
    'null': null,
    'zero': 0,
    'NaN': NaN,
    'a bigint': 1n,
    'an empty string': '',
    'the string route': 'route',
    'formats': '%s %d %j %o',
    'a symbol': Symbol('s'),
    'a function': () => {},
    'a class': class {},
    'an object without a prototype': Object.create(null),
    'an error': new Error('ordinary'),
    'an error whose cause throws': getter(new Error('x'), 'cause'),
    'an error whose stack throws': getter(new Error('x'), 'stack'),
    'an error whose message throws': getter(new Error('x'), 'message'),
    'an error whose name throws': getter(new Error('x'), 'name'),
    'an error whose status throws': getter(new Error('x'), 'status'),
    'an error whose code throws': getter(new Error('x'), 'code'),
    'an error whose constructor throws': getter(new Error('x'), 'constructor'),
    'an error whose stack is no string': Object.assign(new Error('x'), { stack: 7, name: {}, message: [] }),
    'an error that is its own cause': (() => { const error = new Error('x'); error.cause = error; return error; })(),
    'an error that cannot be inspected': Object.assign(new Error('x'), { [inspect.custom]: broken }),
    'an AggregateError whose errors throw': getter(new AggregateError([]), 'errors'),
    'what has no string': { toString: broken, valueOf: broken, [Symbol.toPrimitive]: broken },
    'what has no tag': getter({ [inspect.custom]: broken }, Symbol.toStringTag),
    'a Proxy that throws': new Proxy({}, traps),
    'a Proxy of a function that throws': new Proxy(() => {}, traps),
    'a revoked Proxy': revoked({}),
    'a revoked Proxy of a function': revoked(() => {}),
    'a thenable whose then throws': { then: broken },
    'a thenable whose then cannot be read': getter({}, 'then'),
    'a thenable that rejects twice': { then(_, reject) { reject(revoked({})); reject(new Error('again')); } },
    'a function with a then that throws': Object.assign(() => {}, { then: broken }),
    'a promise whose then throws': Object.assign(Promise.resolve(), { then: broken }),
    'a promise whose constructor throws': getter(Promise.resolve(), 'constructor'),
    'a promise that is rejected': undefined,
  };
  const few = ['an error', 'a revoked Proxy'];
  const names = mode === 'a console' ? Object.keys(VALUES) : few;
  const WAYS = {
    throws: (value) => { throw value; },
    rejects: (value) => Promise.reject(value),
    'returns a thenable that rejects': (value) => ({ then: (_, reject) => reject(value) }),
    returns: (value) => value,
  };
  function describe(value) { try { return String(value?.stack ?? value); } catch { return 'what cannot be described'; } }

  let called = () => {};
  let fail = () => {};
  let told = [];
  /** A handler, one of whose hooks fails. */
  function failing(hook) {
    class Failing extends WebSocketHandler {
      bufferSize = 100;
      onConnect() { if (hook === 'onPong') this.ping(); }
      onRead(data) { this.write(data); if (hook === 'onError') throw new Error('first'); }
      onError(error, where) { told.push([error, where]); if (where !== hook) called(); return super.onError(error, where); }
    }
    const before = Failing.prototype[hook];
    if (before !== undefined) {
      Failing.prototype[hook] = function (...args) {
        if (hook === 'onConnect' || hook === 'onRead') before.apply(this, args);
        called();
        return fail();
      };
    }
    return Failing;
  }
  const asked = () => { called(); return fail(); };
  const options = { origins: { origins: asked }, keyOf: { keyOf: asked, maxConnectionsPerKey: 9999 }, subprotocols: { subprotocols: asked }, convert: { convert: { id: asked } } };
  const HOOKS = ['onHandshake', 'onConnect', 'onRead', 'onWrite', 'onPong', 'onClose', 'onOverflowError', 'onError'];
  const PLACES = [...HOOKS, ...Object.keys(options)];
  // What a converter throws Express logs, by a console that it trusts.
  if (mode === 'a console') PLACES.push('convert in Express');

  async function listen(place) {
    const route = websocketRoute('/ws/:id', failing(place), options[place.split(' ')[0]] ?? {});
    const app = express().disable('x-powered-by').use(route);
    // Half of them by the upgrade door.
    const server = createServer(place === 'convert' ? route : app);
    if (PLACES.indexOf(place) % 2 === 0 && place !== 'convert in Express') server.on('upgrade', upgradeListener(route));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  }

  async function provoke(server, place) {
    const socket = new WebSocket('ws://127.0.0.1:' + server.address().port + '/ws/7', place === 'subprotocols' ? ['a', 'b'] : [], { origin: 'http://127.0.0.1:' + server.address().port });
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const hook = new Promise((resolve) => { called = resolve; });
    socket.on('open', () => {
      if (place === 'onRead' || place === 'onWrite' || place === 'onError') socket.send('x');
      if (place === 'onOverflowError') socket.send('x'.repeat(200));
      if (place === 'onClose') socket.close();
    });
    await hook;
    for (let i = 0; i < 3; i++) await new Promise(setImmediate);
    socket.terminate();
    await closed;
  }

  let count = 0;
  for (const place of PLACES) {
    const server = await listen(place);
    for (const name of names) {
      for (const [way, run] of Object.entries(WAYS)) {
        combination = place + ' ' + way + ' ' + name;
        told = [];
        fail = () => run(name === 'a promise that is rejected' ? Promise.reject(new Error('mine')) : VALUES[name]);
        // Node itself raises a promise that is thrown, and rejected, and not handled.
        if (name === 'a promise that is rejected' && way !== 'returns') continue;
        await provoke(server, place);
        count++;
        const value = VALUES[name];
        const isHook = HOOKS.includes(place) && place !== 'onError';
        if (isHook && way !== 'returns' && !(told.length === 1 && Object.is(told[0][0], value) && told[0][1] === place)) {
          faults.push(combination + ': onError was told ' + told.length + ' times');
        }
      }
    }
    server.closeAllConnections();
    server.close();
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  console.log(JSON.stringify({ count, faults }));

  // Others live on.
  const server = createServer(websocketRoute({ onRead(data) { this.write(data); } })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = new WebSocket('ws://127.0.0.1:' + server.address().port);
  await once(socket, 'open');
  socket.send('well');
  console.log(String((await once(socket, 'message'))[0]));

  // What subscribers throw is Node's to raise, and nothing else suffers.
  let raised = 0;
  process.removeAllListeners('uncaughtException').on('uncaughtException', () => { raised++; });
  const thrown = names.map((name) => () => { throw VALUES[name]; });
  for (const subscriber of thrown) subscribe('websocket-route:open', subscriber);
  const watched = new WebSocket('ws://127.0.0.1:' + server.address().port);
  await once(watched, 'open');
  watched.send('watched');
  console.log(String((await once(watched, 'message'))[0]), raised === names.length);
  process.exit();
`;

describe('whatever the user throws, rejects with or returns', () => {
  let built: Built;
  beforeAll(async () => {
    built = await build();
  });
  afterAll(() => built.remove());

  it.each([
    ['a console', 1800],
    ['a console that throws', 80],
    ['a console that rejects', 80],
    ['a console without error', 80],
    ['a console that looks closely', 80],
    ['a closed stderr', 80],
  ])(
    'ends no process that has %s',
    async (mode, least) => {
      const program = await start(built, 'hostile.js', PROGRAM, [mode]);
      if (mode === 'a closed stderr') program.process.stderr?.destroy();
      const { count, faults } = JSON.parse(await program.line());
      expect(faults).toEqual([]);
      expect(count).toBeGreaterThan(least);
      expect(await program.line()).toBe('well');
      expect(await program.line()).toBe('watched true');
      expect(await program.ended).toBe(0);
    },
    120_000,
  );
});
