import { WebSocketHandler } from '../../lib/handler/handler.js';
import { handlerClass } from '../../lib/handler/handler-class.js';
import { checkOverrides } from '../../lib/handler/reserved-members.js';

// biome-ignore lint/suspicious/noExplicitAny: literals may have any members
const make = (handler: object): any => new (handlerClass(handler))();

describe('handlerClass', () => {
  it('takes a class that extends WebSocketHandler, however far, as it is', () => {
    class One extends WebSocketHandler {}
    class Two extends One {}
    expect(handlerClass(One)).toBe(One);
    expect(handlerClass(Two)).toBe(Two);
  });

  it('makes a class of an object: methods on the prototype, fields on each instance', () => {
    const literal = {
      count: 0,
      onRead() {
        return ++this.count;
      },
      get double() {
        return this.count * 2;
      },
      set double(value: number) {
        this.count = value / 2;
      },
    };
    const [one, two] = [make(literal), make(literal)];
    expect(one).toBeInstanceOf(WebSocketHandler);
    expect([one.onRead(), one.onRead(), two.onRead(), one.double]).toEqual([1, 2, 1, 4]);
    one.double = 10;
    expect([one.count, two.count, literal.count]).toEqual([5, 1, 0]);
    expect([Object.hasOwn(make(literal), 'count'), Object.hasOwn(one, 'onRead')]).toEqual([true, false]);
  });

  it('lets instances of a frozen object change', () => {
    const one = make(Object.freeze({ count: 0, onRead() {} }));
    one.count = 1;
    one.onRead = 'replaced';
    expect([one.count, one.onRead]).toEqual([1, 'replaced']);
  });

  it('takes an arrow function for a hook', () => {
    expect(make({ onRead: () => 'read' }).onRead()).toBe('read');
  });

  it('keeps the default of a hook that is undefined', () => {
    const handler = make({ onRead: undefined, onConnect: undefined });
    expect(handler.onRead).toBe(WebSocketHandler.prototype.onRead);
    expect(handler.onConnect()).toBeUndefined();
  });

  it('finds hooks that an object inherits', () => {
    class Base {
      name = 'base';
      onRead() {
        return this.name;
      }
      onClose() {
        return 'closed';
      }
    }
    class Derived extends Base {
      override onClose() {
        return 'closed by derived';
      }
    }
    const handler = make(new Derived());
    expect([handler.onRead(), handler.onClose()]).toEqual(['base', 'closed by derived']);
    expect(handler).toBeInstanceOf(WebSocketHandler);
    expect(handler.constructor).not.toBe(Derived);
    expect(make(Object.create({ onRead: () => 'inherited' })).onRead()).toBe('inherited');
  });

  it('takes an object without a prototype', () => {
    expect(make(Object.assign(Object.create(null), { onRead: () => 'bare' })).onRead()).toBe('bare');
  });

  it('puts no member of Object.prototype in front of the handler’s', () => {
    const handler = make({});
    expect(Object.getOwnPropertyNames(Object.getPrototypeOf(handler))).toEqual(['constructor']);
  });

  it('does not reach a prototype by the name __proto__', () => {
    const handler = make(JSON.parse('{ "__proto__": { "polluted": true } }'));
    expect(handler).toBeInstanceOf(WebSocketHandler);
    expect(handler.polluted).toBeUndefined();
  });

  it.each(['write', 'close', 'flush', 'messages', 'drained', 'terminate', 'toDuplex', 'readyState', 'version'])(
    'refuses a literal whose own %s would hide the library’s',
    (name) => {
      const message = `handler member is '${name}': it hides the member of WebSocketHandler with that name`;
      const refusal = expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(message) });
      expect(() => handlerClass({ onRead() {}, [name]() {} })).toThrow(refusal);
      expect(() => handlerClass({ onRead() {}, [name]: [] })).toThrow(refusal);
      expect(() => handlerClass(Object.create({ onRead() {}, [name]() {} }))).toThrow(refusal);
      expect(make({ onRead() {}, [name]: undefined })).toBeInstanceOf(WebSocketHandler);
    },
  );

  it('lets a class override methods with methods, and accessors with accessors', () => {
    class Counting extends WebSocketHandler {
      written = 0;
      override write(...args: Parameters<WebSocketHandler['write']>): boolean {
        this.written += 1;
        return super.write(...args);
      }
      override close(): void {
        super.close(4000);
      }
      override get subprotocol(): string {
        return super.subprotocol.toLowerCase();
      }
    }
    expect(handlerClass(Counting)).toBe(Counting);
    expect(handlerClass(class extends Counting {})).toBeInstanceOf(Function);
  });

  it('refuses a class that has anything else in place of those', () => {
    const classes: [name: string, descriptor: PropertyDescriptor][] = [
      ['messages', { get: () => [] }],
      ['messages', { value: [] }],
      ['close', { value: undefined }],
      ['version', { value: () => '1.0' }],
      ['version', { value: '1.0' }],
      ['readyState', { set: () => {} }],
    ];
    for (const [name, descriptor] of classes) {
      class Base extends WebSocketHandler {}
      Object.defineProperty(Base.prototype, name, descriptor);
      for (const Handler of [Base, class extends Base {}]) {
        expect(() => handlerClass(Handler)).toThrow(`handler member is '${name}': it hides`);
      }
    }
  });

  it('refuses fields of a class that would hide them, as soon as there is an instance', () => {
    class Chat extends WebSocketHandler {
      lines: string[] = [];
      constructor(members: Record<string, unknown>) {
        super();
        for (const [name, value] of Object.entries(members)) Object.defineProperty(this, name, { value });
      }
    }
    const check = (members: Record<string, unknown>) => (): void => checkOverrides(new Chat(members));
    expect(check({ messages: [] })).toThrow("handler member is 'messages': it hides");
    expect(check({ version: 2 })).toThrow("handler member is 'version': it hides");
    // Bound, or an arrow function: a method all the same.
    expect(
      check({ write: () => true, onWrite: () => {}, bufferSize: 7, remoteAddress: 'a', context: {} }),
    ).not.toThrow();
  });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a string', '/ws'],
    ['an array', []],
    ['a function', () => {}],
    ['another class', class {}],
    ['an instance instead of its class', new (class Echo extends WebSocketHandler {})()],
  ])('refuses %s with a TypeError that says what to give', (_what, handler) => {
    expect(() => handlerClass(handler)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_WS_INVALID_HANDLER' }),
    );
  });
});
