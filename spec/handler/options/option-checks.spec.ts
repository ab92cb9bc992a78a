import {
  checkAsyncContext,
  checkCompress,
  checkKeyOf,
  checkLimit,
  checkLimits,
  checkName,
  checkPositive,
  checkRate,
  checkSlowConsumer,
  checkTimeout,
} from '../../../lib/handler/options/option-checks.js';
import { Limits } from '../../../lib/index.js';

type Check = (value: unknown) => void;

const CHECKS: [what: string, check: Check, right: unknown[], wrong: unknown[]][] = [
  ['size', (value) => checkPositive('size', value, 'in bytes'), [1, 2 ** 53 - 1], [0, -1, 1.5, Infinity, NaN, '1']],
  ['most', (value) => checkLimit('most', value), [1, Infinity], [0, 1.5, -Infinity, NaN, '1', null]],
  ['timeout', (value) => checkTimeout('timeout', value, 1), [1, 2 ** 31 - 1], [0, 2 ** 31, Infinity, 1.5, '1']],
  ['slowConsumer', checkSlowConsumer, ['close', 'drop'], ['', true, undefined]],
  ['limits', checkLimits, [new Limits()], [{}, { maxBufferedBytes: 1 }, null]],
  [
    'compress',
    checkCompress,
    [true, false, {}, { threshold: 0, level: -1, memLevel: 9, serverMaxWindowBits: 8 }, { level: undefined }],
    [1, null, [], 'yes'],
  ],
  ['compress.level', checkCompress, [{ level: 9 }], [{ level: 10 }, { level: -2 }, { level: 1.5 }, { level: '9' }]],
  ['compress.serverNoContextTakeover', checkCompress, [], [{ serverNoContextTakeover: 1 }]],
  ['keyOf', checkKeyOf, ['ip', () => ''], ['IP', 5, undefined]],
  ['asyncContext', checkAsyncContext, ['none', 'handshake'], ['request', true]],
  ['name', checkName, ['', 'chat'], [5, null, undefined]],
  ['rate', checkRate, [{}, { messages: 0.5 }, { bytes: 1, burst: 2, patience: Infinity }], [5, null, { burst: 1 }]],
  ['rate.messages', checkRate, [{ messages: 1 }], [{ messages: 0 }, { messages: Infinity }, { messages: '1' }]],
];

describe.each(CHECKS)('%s', (what, check, right, wrong) => {
  it('takes each value that it may have', () => {
    for (const value of right) expect(() => check(value)).not.toThrow();
  });

  it('refuses every other with a TypeError that names the option and the rule', () => {
    for (const value of wrong) {
      const refusal = {
        name: 'TypeError',
        code: 'ERR_WS_INVALID_OPTION',
        message: expect.stringMatching(`^${what} is .+: it `),
      };
      expect(() => check(value)).toThrow(expect.objectContaining(refusal));
    }
  });
});

describe('a check', () => {
  it('takes a timeout of 0 only where that means never', () => {
    expect(() => checkTimeout('pingInterval', 0, 0)).not.toThrow();
    expect(() => checkTimeout('pingInterval', -1, 0)).toThrow('or 0 for never');
  });

  it('names an unknown member of rate or compress, and the one that was meant', () => {
    expect(() => checkRate({ mesages: 1 })).toThrow('did you mean messages?');
    expect(() => checkCompress({ treshold: 1 })).toThrow('did you mean threshold?');
  });
});
