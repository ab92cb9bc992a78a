/** What the compiler knows of handlers that say what they are typed by, and of classes held against their routes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request } from 'express';
import {
  acceptWebSocket,
  type Delimiter,
  EntireMessage,
  Struct,
  toInteger,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { type Equal, expectType } from '../support/expect-type.js';

/** Compiled, and never run. */
function compiled(code: (request: IncomingMessage, response: ServerResponse) => void): void {
  expect(code).toBeInstanceOf(Function);
}

describe('WebSocketHandler<{ params }>', () => {
  it('is held against its own onConnect', () => {
    class Player extends WebSocketHandler<{ params: { id: number } }> {
      override onConnect({ id }: { id: number }, request: Request): void {
        this.write(id.toFixed() + request.ip);
      }
    }
    class Wrong extends WebSocketHandler<{ params: { id: number } }> {
      // @ts-expect-error the id is a number
      override onConnect({ id }: { id: string }): void {
        this.write(id);
      }
    }
    expect([Player, Wrong]).toHaveLength(2);
  });

  it('is held against its route, without an onConnect too', () => {
    class Player extends WebSocketHandler<{ params: { id: number } }> {}
    compiled(() => {
      websocketRoute('/ws/:id', Player, { convert: { id: toInteger } });
      // @ts-expect-error without the converter the id is a string
      websocketRoute('/ws/:id', Player);
      // @ts-expect-error the path has no id
      websocketRoute('/ws/:name', Player);
      // @ts-expect-error the path may have none
      websocketRoute('/ws{/:id}', Player, { convert: { id: toInteger } });
    });
  });
});

describe('the onConnect of a class', () => {
  it('may not count on a param that may be missing', () => {
    class Member extends WebSocketHandler {
      override onConnect({ room }: { room: string }): void {
        this.write(room);
      }
    }
    class Guest extends WebSocketHandler {
      override onConnect({ room = 'lobby' }: { room?: string }, request: Request): void {
        this.write(room + request.ip);
      }
    }
    compiled(() => {
      websocketRoute('/ws{/:room}', Guest);
      websocketRoute('/ws/:room', Guest);
      websocketRoute('/ws/:room', Member);
      // @ts-expect-error it may be missing
      websocketRoute('/ws{/:room}', Member);
      // @ts-expect-error the second path has none
      websocketRoute(['/ws/:room', '/old/:name'], Member);
    });
  });
});

describe('WebSocketHandler<{ args }>', () => {
  it('is held against the arguments given by hand', () => {
    class Seat extends WebSocketHandler<{ args: [room: string, seat: number] }> {
      override onConnect(room: string, seat: number): void {
        this.write(room + seat.toFixed());
      }
    }
    compiled((request, response) => {
      acceptWebSocket(request, response, Seat, {}, 'kitchen', 4);
      // @ts-expect-error the seat is a number
      acceptWebSocket(request, response, Seat, {}, 'kitchen', 'four');
      // @ts-expect-error the seat is missing
      acceptWebSocket(request, response, Seat, {}, 'kitchen');
    });
  });
});

describe('WebSocketHandler<{ context }>', () => {
  it('types what onHandshake sets and later hooks read', () => {
    class Private extends WebSocketHandler<{ context: { user: string; since: Date } }> {
      override onHandshake(request: IncomingMessage): boolean {
        // @ts-expect-error no date
        this.context = { user: 'ada' };
        this.context = { user: request.headers.cookie ?? '', since: new Date() };
        return true;
      }

      override onConnect(): void {
        expectType<Equal<typeof this.context, { user: string; since: Date }>>();
        // @ts-expect-error misspelt
        this.write(this.context.usr);
      }
    }
    expect(websocketRoute('/ws', Private)).toBeInstanceOf(Function);
  });

  it('is unknown where it is not said, and of an object literal what its field says', () => {
    class Plain extends WebSocketHandler {
      override onRead(): void {
        expectType<Equal<typeof this.context, unknown>>();
      }
    }
    const routes = [
      websocketRoute('/plain', Plain),
      websocketRoute('/literal', {
        context: { user: '' },
        onHandshake() {
          // @ts-expect-error a user is a string
          this.context = { user: 7 };
          this.context = { user: 'ada' };
          return true;
        },
        onConnect() {
          this.write(this.context.user.toUpperCase());
        },
      }),
    ];
    expect(routes).toHaveLength(2);
  });
});

describe('WebSocketHandler<{ delimiter }>', () => {
  it('types onRead, messages() and the streams', () => {
    class Telemetry extends WebSocketHandler<{ delimiter: Struct<'!IH'> }> {
      override onRead(sequence: number, value: number): void {
        this.writePacked(sequence, value);
      }

      async all(): Promise<void> {
        for await (const record of this.messages()) expectType<Equal<typeof record, [number, number]>>();
        const { readable } = this.toWebStreams();
        expectType<Equal<typeof readable, ReadableStream<[number, number]>>>();
      }

      /** The compiler would believe a type argument that no value backs. */
      async others(): Promise<void> {
        for await (const line of this.messages('\n')) expectType<Equal<typeof line, string>>();
        for await (const data of this.messages(EntireMessage)) expectType<Equal<typeof data, string | Buffer>>();
        for await (const data of this.messages(null)) expectType<Equal<typeof data, string | Buffer>>();
        for await (const record of this.messages(new Struct('!HB')))
          expectType<Equal<typeof record, [number, number]>>();
        const { readable } = this.toWebStreams(Buffer.of(0));
        expectType<Equal<typeof readable, ReadableStream<Buffer>>>();
        // @ts-expect-error the delimiter itself is wanted
        this.messages<Struct<'!HB'>>();
        // @ts-expect-error likewise
        this.toWebStreams<'\n'>();
        // @ts-expect-error this is no delimiter
        this.messages({});
      }
    }
    class Untyped extends WebSocketHandler {
      override readDelimiter = new Struct('!IH');

      async all(): Promise<void> {
        for await (const record of this.messages(this.readDelimiter)) {
          expectType<Equal<typeof record, [number, number]>>();
        }
      }
    }
    class Wrong extends WebSocketHandler<{ delimiter: Struct<'!IH'> }> {
      // @ts-expect-error the struct has numbers
      override onRead(sequence: string): void {
        this.write(sequence);
      }
    }
    expect([Telemetry, Untyped, Wrong]).toHaveLength(3);
  });
});

describe('the delimiter of a class', () => {
  it('a delimiter in a field is checked against onRead', () => {
    class Right extends WebSocketHandler {
      override readDelimiter = new Struct('!ILH');
      override onRead(kind: number, length: number, id: number): void {
        this.write(`${kind + length + id}`);
      }
    }
    class Wrong extends WebSocketHandler {
      override readDelimiter = new Struct('!ILH');
      override onRead(line: string): void {
        this.write(line);
      }
    }
    compiled((request, response) => {
      websocketRoute('/ws', Right);
      websocketRoute(Right);
      acceptWebSocket(request, response, Right);
      // @ts-expect-error a struct gives its values
      websocketRoute('/ws', Wrong);
      // @ts-expect-error here, too
      websocketRoute(Wrong);
      // @ts-expect-error here, too
      acceptWebSocket(request, response, Wrong);
    });
  });

  it('a delimiter in the options is checked against onRead, unless a field comes before it', () => {
    class Lines extends WebSocketHandler {
      override onRead(line: string): void {
        this.write(line);
      }
    }
    class Chunks extends WebSocketHandler {
      override onRead(chunk: Buffer): void {
        this.write(chunk);
      }
    }
    class Records extends WebSocketHandler {
      override readDelimiter = new Struct('!Q');
      override onRead(count: bigint): void {
        this.write(String(count));
      }
    }
    compiled((request, response) => {
      websocketRoute('/ws', Lines, { readDelimiter: '\n' });
      websocketRoute('/ws', Records, { readDelimiter: '\n' });
      // @ts-expect-error a string delimits text
      websocketRoute('/ws', Chunks, { readDelimiter: '\n' });
      // @ts-expect-error so it does without a path
      websocketRoute(Chunks, { readDelimiter: '\n' });
      // @ts-expect-error and by hand
      acceptWebSocket(request, response, Chunks, { readDelimiter: '\n' });
      // @ts-expect-error 64 bits are a bigint
      websocketRoute('/ws', Lines, { readDelimiter: new Struct('!Q') });
    });
  });

  it('a delimiter that changes later is not checked against onRead', () => {
    class Later extends WebSocketHandler {
      override onConnect(): void {
        this.readDelimiter = new Struct('!IH');
      }

      override onRead(sequence: number, value: number): void {
        this.write(`${sequence + value}`);
      }
    }
    class Changing extends WebSocketHandler {
      override readDelimiter: Delimiter = '\n';
      override onRead(data: Buffer): void {
        this.write(data);
      }
    }
    compiled(() => {
      websocketRoute('/ws', Later);
      websocketRoute('/ws', Changing);
    });
  });
});
