/** More that the compiler knows, as in `route.spec.ts`. What would need a request to run is compiled only. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import express from 'express';
import {
  acceptWebSocket,
  broadcast,
  NetStruct,
  Struct,
  toInteger,
  upgradeListener,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { type Equal, expectType } from '../support/expect-type.js';

type AnyParams = Record<string, string | string[]>;

class Echo extends WebSocketHandler {}

/** Compiled, and never run. */
function compiled(code: (request: IncomingMessage, response: ServerResponse) => void): void {
  expect(code).toBeInstanceOf(Function);
}

describe('the params of a path', () => {
  it('are arrays for wildcards, one or the other for several paths, and what converters return', () => {
    const routes = [
      websocketRoute('/files/*path', {
        onConnect(params) {
          expectType<Equal<typeof params, { path: string[] }>>();
        },
      }),
      websocketRoute(['/a/:x', '/b/:y'], {
        onConnect(params) {
          expectType<Equal<typeof params, { x: string } | { y: string }>>();
        },
      }),
      websocketRoute(
        '/ws/:id/:when/:name',
        {
          onConnect(params) {
            expectType<Equal<typeof params, { id: number; when: Date; name: string }>>();
          },
        },
        { convert: { id: toInteger, when: (text: string) => new Date(text) } },
      ),
    ];
    expect(routes).toHaveLength(3);
  });

  it('are any strings where they are the router’s, or the path is not a literal', () => {
    const routes = [
      websocketRoute({
        onConnect(params, req) {
          expectType<Equal<typeof params, AnyParams>>();
          expectType<Equal<typeof req, IncomingMessage>>();
        },
      }),
      websocketRoute('/ws' as string, {
        onConnect(params) {
          expectType<Equal<typeof params, AnyParams>>();
        },
      }),
    ];
    expect(routes).toHaveLength(2);
  });

  it('are there whatever a class expects, an interface too', () => {
    interface Named {
      name: string;
    }
    class Greeter extends WebSocketHandler {
      override onConnect({ name }: Named, req: IncomingMessage): void {
        this.write(`${name} ${req.url}`);
      }
    }
    class Wrong extends WebSocketHandler {
      override onConnect(_params: object, req: number): void {
        this.write(String(req));
      }
    }
    const routes = [
      websocketRoute(Greeter),
      websocketRoute('/ws/:name', Greeter),
      websocketRoute('/ws/:name/:more', Greeter),
      websocketRoute('/ws/:name' as string, Greeter),
      websocketRoute(['/ws/:name'] as string[], Greeter),
      // @ts-expect-error the request is no number
      websocketRoute(Wrong),
      // @ts-expect-error nor here
      websocketRoute('/ws', Wrong),
    ];
    expect(routes).toHaveLength(7);
  });
});

describe('the delimiter of a route’s options', () => {
  it('gives onRead of an object literal its arguments', () => {
    const routes = [
      websocketRoute(
        '/ws/:id',
        {
          onConnect(params) {
            expectType<Equal<typeof params, { id: number }>>();
          },
          onRead(...data) {
            expectType<Equal<typeof data, [number, number, number]>>();
          },
        },
        { readDelimiter: new Struct('!ILH'), convert: { id: toInteger } },
      ),
      websocketRoute(
        {
          onRead(line) {
            expectType<Equal<typeof line, string>>();
          },
        },
        { readDelimiter: '\n' },
      ),
      websocketRoute({
        readDelimiter: new NetStruct('!HH$'),
        onRead(...data) {
          expectType<Equal<typeof data, [number, Buffer]>>();
        },
      }),
    ];
    expect(routes).toHaveLength(3);
  });
});

describe('acceptWebSocket', () => {
  it('gives its arguments to onConnect of an object literal', () => {
    compiled((request, response) => {
      const [name, seats]: [string, number] = ['kitchen', 4];
      acceptWebSocket(
        request,
        response,
        {
          count: 0,
          onConnect(...args) {
            expectType<Equal<typeof args, [string, number]>>();
            this.count += 1;
          },
          onRead(data) {
            expectType<Equal<typeof data, string | Buffer>>();
          },
        },
        {},
        name,
        seats,
      );
    });
  });
});

describe('options', () => {
  it('options that are unknown, or have another type, do not compile', () => {
    compiled((request, response) => {
      // @ts-expect-error misspelt
      websocketRoute('/ws', Echo, { bufersize: 7 });
      // @ts-expect-error misspelt
      websocketRoute('/ws', { onRead() {} }, { bufersize: 7 });
      // @ts-expect-error misspelt
      websocketRoute(Echo, { bufersize: 7 });
      // @ts-expect-error misspelt
      websocketRoute({ onRead() {} }, { bufersize: 7 });
      // @ts-expect-error misspelt
      acceptWebSocket(request, response, Echo, { bufersize: 7 });
      // @ts-expect-error misspelt
      upgradeListener(express(), { paht: '/ws' });
      // @ts-expect-error no path, so nothing to convert
      websocketRoute(Echo, { convert: { id: toInteger } });
      // @ts-expect-error not a number
      websocketRoute('/ws', Echo, { bufferSize: '7' });
      // @ts-expect-error not a policy
      websocketRoute('/ws', Echo, { origins: 'everybody' });
      // @ts-expect-error not a function
      websocketRoute('/ws/:id', Echo, { convert: { id: 7 } });
      // @ts-expect-error a path is no regular expression
      websocketRoute(/ws/, Echo);
    });
  });

  it('may be undefined', () => {
    const options = { bufferSize: undefined, origins: undefined, convert: undefined };
    expect(websocketRoute('/ws', Echo, options)).toBeInstanceOf(Function);
  });
});

describe('hooks of an object literal', () => {
  it('must have the right shape', () => {
    compiled(() => {
      // @ts-expect-error a string is no verdict
      websocketRoute('/ws', { onHandshake: () => 'yes' });
      // @ts-expect-error not a function
      websocketRoute('/ws', { onRead: 7 });
      // @ts-expect-error some other class
      websocketRoute('/ws', class {});
    });
  });

  it('may be asynchronous, and get what a class would', () => {
    const route = websocketRoute('/ws', {
      async onHandshake(req, headers) {
        headers['X-A'] = ['b', 'c'];
        return req.headers.cookie !== undefined || { status: 401, body: 'log in' };
      },
      async onRead(data) {
        await this.drained();
        this.write(data);
      },
      onClose(...args) {
        expectType<Equal<typeof args, [code: number, reason: string, wasClean: boolean]>>();
      },
    });
    expect(route).toBeInstanceOf(Function);
  });
});

describe('upgradeListener', () => {
  it('takes apps and routes, and is a listener of a server', () => {
    const server = createServer()
      .on('upgrade', upgradeListener(express()))
      .on('upgrade', upgradeListener(websocketRoute(Echo), { path: ['/a', '/b'] }));
    expect(server.listenerCount('upgrade')).toBe(2);
  });
});

describe('broadcast', () => {
  it('takes handlers however they are typed, by any iterable, and returns a number', () => {
    class Typed extends WebSocketHandler<{
      params: { id: number };
      context: { user: string };
      delimiter: Struct<'!IH'>;
    }> {
      override onRead(_sequence: number, _value: number): void {}
    }
    compiled(() => {
      expectType<Equal<ReturnType<typeof broadcast>, number>>();
      broadcast(new Set<Typed>(), 'text');
      broadcast([new Echo(), new Typed()], Buffer.of(1), { flush: true });
      broadcast(new Map<string, Typed>().values(), new ArrayBuffer(1));
      websocketRoute({
        onRead(data) {
          broadcast([this], data);
        },
      });
      // @ts-expect-error one handler is no iterable
      broadcast(new Echo(), 'text');
      // @ts-expect-error the entries of a Map are no handlers
      broadcast(new Map<string, Typed>(), 'text');
      // @ts-expect-error misspelt
      broadcast([], 'text', { flus: true });
    });
  });
});
