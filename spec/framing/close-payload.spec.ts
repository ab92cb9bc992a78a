import { ErrorCode } from '../../lib/errors.js';
import {
  checkCloseArguments,
  closePayload,
  fitReason,
  MAX_REASON_LENGTH,
  parseClosePayload,
} from '../../lib/framing/close-payload.js';
import { closeBody } from '../support/frames.js';
import { failure } from './recording-sink.js';

const INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1099, 1100, 2000, 2999, 5000, 65535];
const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];

describe('the body of a close frame, RFC 6455 section 5.5.1', () => {
  it('may be empty: 1005', () => {
    expect(parseClosePayload(Buffer.alloc(0))).toEqual({ code: 1005, reason: '' });
    expect(closePayload(1005, 'dropped')).toHaveLength(0);
  });

  it.each([0, 3, 0xff])('may not be one octet, %i', (octet) => {
    expect(failure(() => parseClosePayload(Buffer.from([octet])))).toBe(1002);
  });

  it.each(VALID)('may have the code %i, with and without a reason', (code) => {
    expect(parseClosePayload(closeBody(code))).toEqual({ code, reason: '' });
    expect(parseClosePayload(closeBody(code, 'käse 🧀'))).toEqual({ code, reason: 'käse 🧀' });
    expect(closePayload(code, 'käse 🧀')).toEqual(closeBody(code, 'käse 🧀'));
  });

  it.each(INVALID)('may not have the code %i', (code) => {
    expect(failure(() => parseClosePayload(closeBody(code)))).toBe(1002);
    expect(failure(() => parseClosePayload(closeBody(code, 'a reason')))).toBe(1002);
  });

  it.each(['80', 'c080', 'eda080', 'f4908080', '61ff', 'e282', `${'61'.repeat(122)}c3`])(
    'may not have a reason that is no UTF-8, %s',
    (hex) => {
      expect(failure(() => parseClosePayload(Buffer.concat([closeBody(1000), Buffer.from(hex, 'hex')])))).toBe(1007);
    },
  );
});

describe('the arguments of close', () => {
  it.each(VALID)('may be the code %i', (code) => {
    expect(() => checkCloseArguments(code, 'x'.repeat(MAX_REASON_LENGTH))).not.toThrow();
  });

  it.each([...INVALID, -1, 1000.5, Number.NaN, Infinity, '1000', 1000n, null, undefined, {}, true])(
    'may not be the code %p',
    (code) => {
      expect(() => checkCloseArguments(code, '')).toThrow(
        expect.objectContaining({ name: 'TypeError', code: ErrorCode.INVALID_ARGUMENT }),
      );
    },
  );

  it('name a code that they may not be', () => {
    expect(() => checkCloseArguments(1005, '')).toThrow(/close code is 1005.*4000 to 4999/);
  });

  it.each([1, null, undefined, Buffer.from('reason'), Symbol('reason')])('may not be the reason %p', (reason) => {
    expect(() => checkCloseArguments(1000, reason)).toThrow(TypeError);
  });

  it('have 123 bytes for the reason, not characters', () => {
    expect(() => checkCloseArguments(1000, 'é'.repeat(61))).not.toThrow();
    expect(() => checkCloseArguments(1000, 'é'.repeat(62))).toThrow(/at most 123 bytes/);
    expect(() => checkCloseArguments(1000, 'x'.repeat(124))).toThrow(/at most 123 bytes/);
  });
});

describe('a reason of our own', () => {
  it('is cut to 123 bytes between characters', () => {
    expect(fitReason('x'.repeat(123))).toBe('x'.repeat(123));
    expect(fitReason('x'.repeat(124))).toBe('x'.repeat(123));
    expect(fitReason('é'.repeat(100))).toBe('é'.repeat(61));
    expect(fitReason(`xx${'🧀'.repeat(100)}`)).toBe(`xx${'🧀'.repeat(30)}`);
    expect(fitReason('')).toBe('');
  });
});
