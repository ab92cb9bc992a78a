/** Names that are none here, in literals, classes, their instances and their statics; and the names that users call their own. */
import express from 'express';
import { checkInstance, handlerClass } from '../../lib/handler/handler-class.js';
import { WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { connect } from '../../lib/testing/index.js';

function complaint(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A class with these fields, as a compiler of TypeScript makes it. */
function classWith(fields: PropertyDescriptorMap): new () => WebSocketHandler {
  return class extends WebSocketHandler {
    constructor() {
      super();
      Object.defineProperties(this, fields);
    }
  };
}

function field(value: unknown): PropertyDescriptor {
  return { value, writable: true, enumerable: true, configurable: true };
}

/** What is said of a literal, and of an instance of a class, with such a member. */
function complaints(name: string, value: unknown): [literal: unknown, instance: unknown] {
  return [
    complaint(() => handlerClass({ [name]: value })),
    complaint(() => checkInstance(new (classWith({ [name]: field(value) }))())),
  ];
}

const refusal = (message: string): unknown =>
  expect.objectContaining({ name: 'TypeError', code: 'ERR_WS_INVALID_HANDLER', message });

describe('a setting by another name', () => {
  it.each([
    ['read_delimiter', '\n', 'the correct spelling is readDelimiter'],
    ['readdelimiter', '\n', 'the correct spelling is readDelimiter'],
    ['ReadDelimiter', 5, 'the correct spelling is readDelimiter'],
    ['read_delimiter', {}, 'the correct spelling is readDelimiter'],
    ['readDelimeter', '\n', 'the correct spelling is readDelimiter'],
    ['readDelimter', /x/, 'the correct spelling is readDelimiter'],
    ['raedDelimiter', null, 'the correct spelling is readDelimiter'],
    ['buffer_size', 1024, 'the correct spelling is bufferSize'],
    ['buffersize', 1024, 'the correct spelling is bufferSize'],
    ['buferSize', 1024, 'the correct spelling is bufferSize'],
    ['regex_search', false, 'the correct spelling is regexSearch'],
    ['regexpSearch', true, 'the correct spelling is regexSearch'],
    [
      'allow_old_handshake',
      true,
      'the correct spelling is allowOldHandshake, and this is an option: give it in the options',
    ],
    [
      'allowOldHandshak',
      true,
      'the correct spelling is allowOldHandshake, and this is an option: give it in the options',
    ],
    ['allowOldHandshake', true, 'this is an option: give it in the options'],
    ['maxDelimiterLength', 10, 'this is an option: give it in the options'],
    ['maxBufferedAmount', 10, 'this is an option: give it in the options'],
    ['maxConnectionsPerKey', 10, 'this is an option: give it in the options'],
  ])('%s = %p is refused: %s', (name, value, rule) => {
    const message = `handler member is '${name}': ${rule}`;
    expect(complaints(name, value)).toEqual([refusal(message), refusal(message)]);
  });

  it.each(['read_delimiter', 'regex_search', 'buffer_size'])('is refused when %s is assigned, or asked for', (name) => {
    const handler = new WebSocketHandler();
    expect(complaint(() => Reflect.set(handler, name, 1))).toEqual(
      refusal(
        `handler member is '${name}': the correct spelling is ${name.replace(/_(.)/, (_all, c: string) => c.toUpperCase())}`,
      ),
    );
    expect(() => Reflect.get(handler, name)).toThrow('the correct spelling is');
  });

  it('is refused as an accessor of a class, and of the class that it extends', () => {
    class Base extends WebSocketHandler {
      get read_delimiter(): string {
        return '\n';
      }
    }
    for (const Handler of [Base, class extends Base {}]) {
      expect(complaint(() => handlerClass(Handler))).toEqual(
        refusal("handler member is 'read_delimiter': the correct spelling is readDelimiter"),
      );
    }
  });

  it.each([
    ['read_delimiter', '\n', 'the correct spelling is readDelimiter; a static is not read'],
    ['buffer_size', 1024, 'the correct spelling is bufferSize; a static is not read'],
    [
      'allow_old_handshake',
      true,
      'the correct spelling is allowOldHandshake, and this is an option: give it in the options; a st',
    ],
    ['allowOldHandshake', true, 'this is an option: give it in the options; a static is not read'],
    ['onHandshake', () => true, 'a static is not called: make it a method, onHandshake() { … }'],
    ['on_read', () => {}, 'a static is not called: make it a method, onRead() { … }'],
  ])('is refused as the static %s = %p: %s', (name, value, rule) => {
    class Base extends WebSocketHandler {}
    Object.defineProperty(Base, name, field(value));
    for (const Handler of [Base, class extends Base {}]) {
      expect(complaint(() => handlerClass(Handler))).toMatchObject({
        name: 'TypeError',
        message: expect.stringContaining(`static member is '${name}': ${rule}`),
      });
    }
  });

  it('a misspelt setting of a class is answered with 500 and logged when the first client comes', async () => {
    const logged = jest.spyOn(console, 'error').mockImplementation(() => {});
    class Lines extends WebSocketHandler {
      read_delimiter = '\n';
    }
    const app = express().use(websocketRoute('/', Lines));
    expect(await connect(app, '/')).toMatchObject({ status: 500 });
    expect(logged.mock.calls.flat().map(String).join()).toContain('the correct spelling is readDelimiter');
    logged.mockRestore();
  });
});

describe('a hook by another name', () => {
  it.each([
    ['onHandshak', 'onHandshake'],
    ['onHandhsake', 'onHandshake'],
    ['onHanshake', 'onHandshake'],
    ['on_handshke', 'onHandshake'],
    ['onConect', 'onConnect'],
    ['onOverflowErorr', 'onOverflowError'],
    ['onOverFlowEror', 'onOverflowError'],
    ['onRaed', 'onRead'],
    ['onCloes', 'onClose'],
    ['onWirte', 'onWrite'],
    ['onClosee', 'onClose'],
    ['onEror', 'onError'],
    ['on_read', 'onRead'],
  ])('%s is refused, as a method and as a field', (name, hook) => {
    const message = refusal(`hook is '${name}': the correct spelling is ${hook}`);
    class Misspelt extends WebSocketHandler {}
    Object.defineProperty(Misspelt.prototype, name, { value() {} });
    expect(complaint(() => handlerClass(Misspelt))).toEqual(message);
    expect(complaint(() => handlerClass({ [name]() {} }))).toEqual(message);
    expect(complaint(() => checkInstance(new (classWith({ [name]: field(() => {}) }))()))).toEqual(message);
  });

  it('may be the user’s own beside the right one', () => {
    expect(complaint(() => handlerClass({ onConnect() {}, onConect() {}, onHandshake() {}, onHandshak() {} }))).toBe(
      undefined,
    );
  });

  it('must be a function in a field of a class, too', () => {
    for (const value of [undefined, null, 5]) {
      const Handler = classWith({ onClose: field(value) });
      expect(() => checkInstance(new Handler())).toThrow(`onClose is ${value}: a hook must be a function`);
    }
  });
});

describe('what users call their own is theirs', () => {
  it.each<[name: string, value: unknown]>([
    ...['delimiter', 'delimiters', 'separator', 'buffer', 'buffered', 'size', 'readBuffer', 'search', 'regex'].map(
      (name): [string, unknown] => [name, '\n'],
    ),
    ['readDelimiters', ['\n', ';']],
    ['readDelimited', true],
    ['headDelimiter', '\r\n\r\n'],
    ['sendDelimiter', '\n'],
    ['fieldDelimiter', ','],
    ['writeDelimiter', '\n'],
    ['_readDelimiter', '\n'],
    ['READ_DELIMITER', '\n'],
    ['BUFFER_SIZE', 1024],
    ['_bufferSize', 1024],
    ['bufferSizes', [1, 2]],
    ['bufferSize2', 1024],
    ['bufferTime', 500],
    ['bufferSide', 'left'],
    ['maxBufferSize', 1024],
    ['regexes', []],
    ['handshake', 1],
    ['oldHandshake', true],
    ['allowHandshake', true],
    ['remote_address', '::1'],
    ['user_id', 5],
    ['read', 0],
    ['ready', true],
    ['on', true],
    ['once', 1],
    ['only', 1],
    ['online', true],
    ['name', 'ada'],
    ['messageCount', 0],
  ])('the field %s = %p is no misspelt setting', (name, value) => {
    expect(complaints(name, value)).toEqual([undefined, undefined]);
  });

  it.each<[name: string, value: unknown]>([
    ['rate', 0],
    ['limits', new Map()],
    ['origins', ['a']],
    ['compress', true],
    ['strict', true],
    ['idleTimeout', 30_000],
    ['pingInterval', undefined],
    ['closeTimeout', 5],
    ['maxConnections', 5],
    ['subprotocols', []],
  ])('a class may have a field %s = %p, although an option has that name', (name, value) => {
    expect(complaint(() => checkInstance(new (classWith({ [name]: field(value) }))()))).toBeUndefined();
  });

  it.each([
    ...[
      'onHead',
      'onLoad',
      'onReady',
      'onReader',
      'onReed',
      'onRed',
      'onLead',
      'onWrote',
      'onPing',
      'onPen',
      'onClosing',
    ],
    ...['onClosed', 'onCloseRoom', 'onErrors', 'onErrorMessage', 'onTerror', 'onConnected', 'onConnects', 'onContent'],
    ...[
      'onCollect',
      'onCorrect',
      'onHandshakeDone',
      'onOverflow',
      'onTimeout',
      'onTick',
      'onJoin',
      'onLeave',
      'onMove',
    ],
    ...[
      'readDelimited',
      'readDelimiter2',
      'readdelimiter',
      'bufferSized',
      'buffer_size',
      'read_delimiter',
      'regexSearch_',
    ],
    ...[
      'read',
      'send',
      'sendJson',
      'reply',
      'broadcast',
      'join',
      'leave',
      'handshake',
      'connect',
      'writeLine',
      'write_file',
    ],
    ...[
      'on',
      'once',
      'emit',
      'toString',
      'toJSON',
      'open',
      'error',
      'pong',
      'handle',
      'dispose',
      '_onRead',
      'once_read',
    ],
  ])('the method %s is no misspelt hook', (name) => {
    class Own extends WebSocketHandler {}
    Object.defineProperty(
      Own.prototype,
      name,
      field(() => {}),
    );
    expect(complaint(() => handlerClass(Own))).toBeUndefined();
    expect(complaint(() => handlerClass({ [name]() {} }))).toBeUndefined();
    expect(complaint(() => checkInstance(new (classWith({ [name]: field(() => {}) }))()))).toBeUndefined();
  });

  it('static members may have any name', () => {
    class Own extends WebSocketHandler {
      static readDelimiter = '\n';
      static bufferSize = 1024;
      static BUFFER_SIZE = 1024;
      static rooms = new Map();
      static onConnect(): void {}
      static onMessage(): void {}
      override onConnect(): void {
        this.readDelimiter = Own.readDelimiter;
      }
    }
    expect(handlerClass(Own)).toBe(Own);
  });
});
