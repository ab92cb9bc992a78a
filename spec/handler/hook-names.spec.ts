import { handlerClass } from '../../lib/handler/handler-class.js';
import { WebSocketHandler } from '../../lib/index.js';

function refused(handler: unknown): unknown {
  try {
    handlerClass(handler);
  } catch (error) {
    return error;
  }
  return undefined;
}

const refusal = (message: string): unknown =>
  expect.objectContaining({ name: 'TypeError', code: 'ERR_WS_INVALID_HANDLER', message });

describe('the names of hooks', () => {
  it.each([
    ['onHandShake', 'the correct spelling is onHandshake'],
    ['onread', 'the correct spelling is onRead'],
    ['onMessage', 'it is called onRead here'],
    ['onData', 'it is called onRead here'],
    ['onOpen', 'it is called onConnect here'],
    ['onConnection', 'it is called onConnect here'],
    ['onUpgrade', 'it is called onHandshake here'],
    ['onDisconnect', 'it is called onClose here'],
    ['onDrain', 'it is called onWrite here'],
    ['ondrain', 'it is called onWrite here'],
    ['on_read', 'the correct spelling is onRead'],
    ['on_overflow_error', 'the correct spelling is onOverflowError'],
    ['On_Close', 'the correct spelling is onClose'],
    ['on_message', 'it is called onRead here'],
  ])('%s is refused: %s', (name, rule) => {
    const message = `hook is '${name}': ${rule}`;
    expect(refused({ [name]() {} })).toEqual(refusal(message));
    class Misspelt extends WebSocketHandler {}
    Object.defineProperty(Misspelt.prototype, name, { value() {} });
    expect(refused(Misspelt)).toEqual(refusal(message));
    expect(refused(class extends Misspelt {})).toEqual(refusal(message));
  });

  it('may be those of another library beside the right ones', () => {
    class Both extends WebSocketHandler {
      override onRead(data: string): void {
        this.onMessage(data);
      }
      onMessage(data: string): void {
        this.write(data);
      }
    }
    expect(refused(Both)).toBeUndefined();
    expect(refused({ onRead() {}, onMessage() {}, onWrite() {}, onDrain() {} })).toBeUndefined();
  });

  it('are not those of other members', () => {
    expect(refused({ _onRead() {}, onReader() {}, once_read() {}, onreed() {}, on() {} })).toBeUndefined();
  });

  it('must stand for functions', () => {
    expect(refused({ on_read: 5 })).toEqual(refusal('on_read is 5: a hook must be a function'));
    expect(refused({ onRead: 5 })).toEqual(refusal('onRead is 5: a hook must be a function'));
  });

  it('are not those of options, which a literal would hide', () => {
    const message = "handler is 'origins': this is an option: give it in the options";
    expect(refused({ origins: '*', onRead() {} })).toEqual(refusal(message));
  });

  it.each([[/^\/chat/], [new Map()], [new Date()]])('are wanted of %p', (handler) => {
    expect(refused(handler)).toEqual(
      expect.objectContaining({ message: expect.stringContaining('an object with its hooks') }),
    );
  });
});
