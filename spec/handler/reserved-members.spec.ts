import { checkHiding, checkOverrides } from '../../lib/handler/reserved-members.js';
import { WebSocketHandler } from '../../lib/index.js';

const refusal = expect.objectContaining({ name: 'TypeError', code: 'ERR_WS_INVALID_HANDLER' });

describe('a member of a literal', () => {
  it.each(['close', 'write', 'messages', 'terminate', 'readyState', 'signal'])('may not be called %s', (name) => {
    expect(() => checkHiding(name)).toThrow(refusal);
    expect(() => checkHiding(name)).toThrow(`'${name}'`);
  });

  it.each(['onRead', 'readDelimiter', 'bufferSize', 'mine', 'toString', 'constructor', '__proto__'])(
    'may be called %s',
    (name) => {
      expect(() => checkHiding(name)).not.toThrow();
    },
  );
});

describe('a member of a class', () => {
  it('may override a method with a method, and an accessor with an accessor', () => {
    class Own extends WebSocketHandler {
      override close(): void {}
      override get readyState(): 1 {
        return 1;
      }
      mine = 1;
    }
    checkOverrides(Own.prototype);
    checkOverrides({ mine: 1, close() {} });
  });

  it('may not be anything else in their place', () => {
    expect(() => checkOverrides({ close: true })).toThrow('only a method may override it');
    expect(() =>
      checkOverrides({
        get close() {
          return () => {};
        },
      }),
    ).toThrow(refusal);
    expect(() => checkOverrides({ readyState: 1 })).toThrow('only an accessor may override it');
    expect(() => checkOverrides({ readyState() {} })).toThrow(refusal);
  });
});
