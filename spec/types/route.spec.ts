/** What the compiler knows of routes and handlers. `npm run types` checks the types; run, each example must also construct. */
import type { IncomingMessage } from 'node:http';
import express from 'express';
import {
  acceptWebSocket,
  BinaryPattern,
  type Delimiter,
  EntireMessage,
  NetStruct,
  Struct,
  toInteger,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import type { Equal } from '../support/expect-type.js';

/** Compiles only when `A` and `B` are the same type. */
function equal<A, B>(same: Equal<A, B>): void {
  expect(same).toBe(true);
}

class ByName extends WebSocketHandler {
  override onConnect({ name }: { name: string }): void {
    this.write(name);
  }
}

class ById extends WebSocketHandler {
  override onConnect({ id }: { id: number }): void {
    this.write(id.toFixed());
  }
}

describe('the params of a path', () => {
  it('reach the onConnect of a class', () => {
    expect(websocketRoute('/ws/:name', ByName)).toBeInstanceOf(Function);
    expect(websocketRoute('/ws/:id', ById, { convert: { id: toInteger } })).toBeInstanceOf(Function);
    // @ts-expect-error the path has no name
    websocketRoute('/ws/:nome', ByName);
    // @ts-expect-error without the converter the id is a string
    websocketRoute('/ws/:id', ById);
    // @ts-expect-error the converter makes it a number
    websocketRoute('/ws/:name', ByName, { convert: { name: toInteger } });
  });

  it('reach the onConnect of an object literal', () => {
    const route = websocketRoute(
      '/ws/:room{/:id}',
      {
        onConnect(params, request) {
          equal<typeof params, { room: string; id?: number }>(true);
          equal<typeof request, IncomingMessage>(true);
        },
      },
      { convert: { id: toInteger } },
    );
    expect(route).toBeInstanceOf(Function);
  });
});

describe('the delimiter of an object literal', () => {
  it('gives onRead its arguments', () => {
    const routes = [
      websocketRoute('/', {
        readDelimiter: new Struct('!ILH'),
        onRead(kind, length, id) {
          equal<[typeof kind, typeof length, typeof id], [number, number, number]>(true);
        },
      }),
      websocketRoute('/', {
        readDelimiter: new NetStruct('Q$?'),
        onRead(data, flag) {
          equal<[typeof data, typeof flag], [Buffer, boolean]>(true);
        },
      }),
      websocketRoute('/', {
        readDelimiter: '\n',
        onRead(line) {
          equal<typeof line, string>(true);
        },
      }),
      websocketRoute('/', {
        readDelimiter: Buffer.from('\n'),
        onRead(line) {
          equal<typeof line, Buffer>(true);
        },
      }),
      websocketRoute('/', {
        readDelimiter: null,
        onRead(data) {
          equal<typeof data, string | Buffer>(true);
        },
      }),
      websocketRoute('/', {
        readDelimiter: EntireMessage,
        onRead(data) {
          equal<typeof data, string | Buffer>(true);
        },
      }),
      websocketRoute('/', {
        readDelimiter: /\s+/,
        onRead(data) {
          equal<typeof data, string | RegExpExecArray>(true);
        },
      }),
      websocketRoute('/', {
        readDelimiter: new BinaryPattern(/\xff/),
        onRead(data) {
          equal<Extract<typeof data, string>, never>(true);
        },
      }),
      websocketRoute('/', {
        onRead(data) {
          equal<typeof data, string | Buffer>(true);
        },
      }),
    ];
    expect(routes).toHaveLength(9);
  });

  it('is refused where it is none', () => {
    // @ts-expect-error a boolean is no delimiter
    expect(() => websocketRoute('/', { readDelimiter: true })).toThrow('readDelimiter is true');
  });
});

describe('an object literal', () => {
  it('has its own members and those of a handler on `this`', () => {
    const route = websocketRoute('/', {
      count: 0,
      next() {
        return ++this.count;
      },
      onRead() {
        equal<typeof this.count, number>(true);
        this.write(String(this.next()));
        // @ts-expect-error there is no such member
        this.nothing();
      },
    });
    expect(route).toBeInstanceOf(Function);
  });
});

describe('a class', () => {
  it('may set its delimiter as a field', () => {
    class Whole extends WebSocketHandler {
      override readDelimiter = EntireMessage;
    }
    class Lines extends WebSocketHandler {
      override readDelimiter: Delimiter = '\n';
      override bufferSize = 100;
    }
    expect([websocketRoute('/a', Whole), websocketRoute('/b', Lines)]).toHaveLength(2);
    equal<Delimiter, (typeof delimiters)[number] | Delimiter>(true);
  });
});

/** In an array, too, it keeps its type. */
const delimiters = [EntireMessage, '\n', 5, null];

describe('a literal that switches its delimiter', () => {
  it('may set any', () => {
    const route = websocketRoute('/', {
      readDelimiter: '\n',
      onRead(line) {
        equal<typeof line, string>(true);
        this.readDelimiter = Number(line);
      },
    });
    expect(route).toBeInstanceOf(Function);
  });
});

describe('options', () => {
  it('are refused when they are unknown', () => {
    // @ts-expect-error a typing mistake
    expect(() => websocketRoute('/', ByIdless, { bufersize: 1 })).toThrow('it is unknown');
  });
});

class ByIdless extends WebSocketHandler {}

describe('acceptWebSocket', () => {
  it('types the arguments of onConnect', () => {
    class Room extends WebSocketHandler {
      override onConnect(room: { title: string }, seat: number): void {
        this.write(`${room.title}, seat ${seat}`);
      }
    }
    const app = express();
    app.get('/a', (req, res) => acceptWebSocket(req, res, Room, {}, { title: 'Ada' }, 7));
    // @ts-expect-error the seat is missing
    app.get('/b', (req, res) => acceptWebSocket(req, res, Room, {}, { title: 'Ada' }));
    // @ts-expect-error the seat is a number
    app.get('/c', (req, res) => acceptWebSocket(req, res, Room, {}, { title: 'Ada' }, 'seven'));
    expect(app).toBeInstanceOf(Function);
  });
});

describe('a route', () => {
  it('is middleware of Express and a listener of node:http', () => {
    const app = express();
    app.use(websocketRoute('/ws/:name', ByName));
    app.use('/prefix', websocketRoute({ onRead() {} }));
    app.get('/room/:name', websocketRoute(ByName));
    expect(app).toBeInstanceOf(Function);
  });

  it('may use what Express adds to the request', () => {
    class Visitor extends WebSocketHandler {
      override onConnect(_params: object, request: express.Request): void {
        this.remoteAddress = request.ip;
      }
    }
    expect(websocketRoute('/ws', Visitor)).toBeInstanceOf(Function);
  });
});
