import { WebSocketHandler } from '../../lib/handler.js';
import { handlerClass } from '../../lib/upgrade/handler-class.js';

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
      expect.objectContaining({ name: 'TypeError', code: 'ERR_WS_INVALID_ARGUMENT' }),
    );
  });
});
