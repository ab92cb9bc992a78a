import { parseUrl } from '../../../lib/handshake/request/url.js';

describe('a URL', () => {
  it('is read as the WHATWG reads it', () => {
    expect(parseUrl('HTTPS://Example.com:443/a?b')?.href).toBe('https://example.com/a?b');
  });

  it.each(['', '/path', 'example.com', 'http://', 'http://a b/', 'http://exa\xffmple.com:99999'])(
    'is not %p',
    (text) => {
      expect(parseUrl(text)).toBeUndefined();
    },
  );
});
