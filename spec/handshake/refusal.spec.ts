import { ErrorCode } from '../../lib/errors.js';
import { refuse, toPlainRefusal } from '../../lib/handshake/refusal.js';

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('refuse', () => {
  it('explains itself in plain text under the status in words', () => {
    const refusal = refuse(403, 'origin', 'Not from there.', { 'X-Hint': 'y' });
    expect(refusal).toEqual({
      status: 403,
      reason: 'origin',
      headers: { 'X-Hint': 'y', 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': '30' },
      body: Buffer.from('403 Forbidden\nNot from there.\n'),
    });
  });

  it('counts the length in bytes', () => {
    const { body, headers } = refuse(400, 'key', 'é');
    expect(headers['Content-Length']).toBe(String(body.length));
    expect(body.length).toBe('400 Bad Request\né\n'.length + 1);
  });

  it('has a body for a status without a name', () => {
    expect(refuse(599, 'error', 'why').body.toString()).toBe('599\nwhy\n');
  });
});

describe('toPlainRefusal', () => {
  it.each([
    ['a string', 'näh', 'text/plain; charset=utf-8', 'näh'],
    ['an empty string', '', 'text/plain; charset=utf-8', ''],
    ['bytes', new Uint8Array([104, 105]), 'application/octet-stream', 'hi'],
    ['an ArrayBuffer', new Uint8Array([104, 105]).buffer, 'application/octet-stream', 'hi'],
    ['a DataView', new DataView(new Uint8Array([1, 104, 105, 2]).buffer, 1, 2), 'application/octet-stream', 'hi'],
    ['an object', { error: 'log in' }, 'application/json', '{"error":"log in"}'],
    ['an array', [1, 2], 'application/json', '[1,2]'],
    ['nothing', undefined, 'text/plain; charset=utf-8', '401 Unauthorized\n'],
  ])('sends %s with its media type and length', (_what, body, type, text) => {
    const refusal = toPlainRefusal({ status: 401, body });
    expect(refusal.body.toString()).toBe(text);
    expect(refusal.headers).toEqual({ 'Content-Type': type, 'Content-Length': String(Buffer.byteLength(text)) });
    expect(refusal).toMatchObject({ status: 401, reason: 'hook' });
  });

  it('keeps a Content-Type of the user, in any case', () => {
    const { headers } = toPlainRefusal({ status: 400, headers: { 'content-type': 'text/html' }, body: '<p>' });
    expect(headers).toEqual({ 'content-type': 'text/html', 'Content-Length': '3' });
  });

  it('sends the headers of the hook, and those of the refusal instead of the same ones', () => {
    const { headers } = toPlainRefusal(
      { status: 302, headers: { location: '/b' } },
      { Location: '/a', 'Set-Cookie': ['x=1', 'y=2'] },
    );
    expect(headers).toEqual({
      'Content-Type': 'text/plain; charset=utf-8',
      location: '/b',
      'Set-Cookie': ['x=1', 'y=2'],
      'Content-Length': '10',
    });
  });

  it('adds up the cookies of the hook and of the refusal, in any case of their name', () => {
    const { headers } = toPlainRefusal(
      { status: 403, headers: { 'set-cookie': 'c=3', 'SET-COOKIE': ['d=4', 'e=5'] } },
      { 'Set-Cookie': ['a=1', 'b=2'] },
    );
    expect(headers).toMatchObject({ 'SET-COOKIE': ['a=1', 'b=2', 'c=3', 'd=4', 'e=5'] });
    expect(Object.keys(headers).filter((name) => /^set-cookie$/i.test(name))).toHaveLength(1);
  });

  it.each([204, 205, 304])('sends a %i without content, type or length', (status) => {
    expect(toPlainRefusal({ status })).toEqual({ status, headers: {}, body: Buffer.alloc(0), reason: 'hook' });
    expect(() => toPlainRefusal({ status, body: 'x' })).toThrow(/refusal\.body is 'x': a \d+ has no body/);
  });

  it.each([200, 299, 300, 401, 599])('takes the status %i', (status) => {
    expect(toPlainRefusal({ status }).status).toBe(status);
  });

  it.each([101, 100, 199, 600, 0, -1, 403.5, Number.NaN, Number.POSITIVE_INFINITY, '403', undefined, null, 403n])(
    'does not take the status %p',
    (status) => {
      const error = thrownBy(() => toPlainRefusal({ status }));
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ code: 'ERR_WS_INVALID_RETURN_VALUE' });
      expect(String(error)).toMatch(/refusal\.status is .*integer from 200 to 599: use 401/);
    },
  );

  it.each([undefined, null, 'no', 7, () => ({ status: 403 })])('does not take %p for a refusal', (refusal) => {
    expect(thrownBy(() => toPlainRefusal(refusal))).toMatchObject({ code: 'ERR_WS_INVALID_RETURN_VALUE' });
  });

  const cyclic = { self: {} };
  cyclic.self = cyclic;
  const failing = {
    toJSON() {
      throw 'no Error';
    },
  };
  it.each<[string, unknown]>([
    ['null', null],
    ['a number', 7],
    ['a boolean', true],
    ['a function', () => 'x'],
    ['an object with a BigInt', { n: 1n }],
    ['a cycle', cyclic],
    ['an object without a JSON form', { toJSON: () => undefined }],
    ['an object whose toJSON fails', failing],
  ])('does not take %s for a body', (_what, body) => {
    expect(thrownBy(() => toPlainRefusal({ status: 403, body }))).toMatchObject({
      code: 'ERR_WS_INVALID_RETURN_VALUE',
    });
  });

  it.each([[null], ['X: y'], [7]])('does not take %p for headers', (headers) => {
    expect(thrownBy(() => toPlainRefusal({ status: 403, headers }))).toMatchObject({
      code: 'ERR_WS_INVALID_RETURN_VALUE',
    });
  });

  it('names a header that cannot be sent, of the refusal or of the hook', () => {
    const bad = { 'X-A': 'a\r\nb: c' };
    expect(thrownBy(() => toPlainRefusal({ status: 403, headers: bad }))).toMatchObject({ header: 'X-A' });
    expect(thrownBy(() => toPlainRefusal({ status: 403 }, bad))).toMatchObject({ header: 'X-A' });
    expect(thrownBy(() => toPlainRefusal({ status: 403 }, { 'content-length': 5 }))).toMatchObject({
      code: ErrorCode.HEADER,
    });
  });

  it('keeps a header called __proto__ off the prototype', () => {
    const { headers } = toPlainRefusal({
      status: 403,
      headers: JSON.parse('{"__proto__": ["a"], "constructor": "b"}'),
    });
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
    expect(Object.keys(headers)).toEqual(['Content-Type', '__proto__', 'constructor', 'Content-Length']);
  });
});
