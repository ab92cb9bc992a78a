import { challengeResponse, draft76Headers } from '../../../lib/handshake/draft76/draft76.js';

const KEY3 = Buffer.from('^n:ds[4U');

describe('challengeResponse, draft-76 section 5.2', () => {
  it('answers the example of the draft', () => {
    expect(challengeResponse('4 @1  46546xW%0l 1 5', '12998 5 Y3 1  .P00', KEY3)?.toString('latin1')).toBe(
      "8jKS'y:G*Co,Wxa-",
    );
  });

  it('answers the example of its section 1.2', () => {
    const response = challengeResponse(
      '18x 6]8vM;54 *(5:  {   U1]8  z [  8',
      '1_ tx7X d  <  nw  334J702) 7]o}` 0',
      Buffer.from('Tm[K T2u'),
    );
    expect(response?.toString('latin1')).toBe('fQJ,fN/4F4!~K~MH');
  });

  it.each([
    ['has no spaces', '12345'],
    ['has no digits', 'a b c'],
    ['is empty', ''],
    ['is no multiple of its spaces', '1 1 '],
    ['is larger than 4,294,967,295', ' 4294967296'],
    ['is much larger', ` ${'9'.repeat(16384)}`],
    ['is quotes', '"'.repeat(16384)],
    ['is spaces', ' '.repeat(16384)],
    ['counts other white space', '1\t2\xa0'],
    ['has other digits', ' ١٢'],
  ])('refuses a key that %s', (_what, key) => {
    expect(challengeResponse(key, ' 1', KEY3)).toBeUndefined();
    expect(challengeResponse(' 1', key, KEY3)).toBeUndefined();
  });

  it('takes the largest number, and zero', () => {
    expect(challengeResponse(' 4294967295', '0 ', KEY3)).toHaveLength(16);
  });

  it.each([0, 7, 9])('refuses %i bytes after the headers', (length) => {
    expect(challengeResponse(' 1', ' 1', Buffer.alloc(length))).toBeUndefined();
  });
});

describe('draft76Headers', () => {
  it('echoes origin and location', () => {
    const headers = draft76Headers({
      origin: 'http://example.com',
      secure: false,
      host: 'example.com',
      url: '/demo?a=b',
      subprotocol: 'sample',
    });
    expect(Object.entries(headers)).toEqual([
      ['Upgrade', 'WebSocket'],
      ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Origin', 'http://example.com'],
      ['Sec-WebSocket-Location', 'ws://example.com/demo?a=b'],
      ['Sec-WebSocket-Protocol', 'sample'],
    ]);
  });

  it('leaves out what there is not', () => {
    const bare = { Upgrade: 'WebSocket', Connection: 'Upgrade', 'Sec-WebSocket-Location': 'wss://h:8443/' };
    expect(draft76Headers({ origin: undefined, secure: true, host: 'h:8443', url: '/' })).toEqual(bare);
    expect(draft76Headers({ origin: '', secure: true, host: 'h:8443', url: '/', subprotocol: '' })).toEqual(bare);
  });

  it.each([
    ['http://evil/demo?x#y', 'ws://h/demo?x'],
    ['*', 'ws://h/'],
    ['mailto:x', 'ws://h/'],
    ['//evil/demo', 'ws://h//evil/demo'],
  ])('locates the target %p on our host', (url, location) => {
    expect(draft76Headers({ origin: undefined, secure: false, host: 'h', url })['Sec-WebSocket-Location']).toBe(
      location,
    );
  });

  it('locates what is no URL at the root, however often it was asked before', () => {
    // A letter by UTF-8; by Latin-1, as Node has the target, no host. Node 20 took one for the other once it was optimized.
    const url = 'http://\xc3\x80/demo';
    const locations = new Set<string | undefined>();
    for (let i = 0; i < 10_000; i++) {
      const headers = draft76Headers({ origin: undefined, secure: false, host: 'h', url });
      locations.add(headers['Sec-WebSocket-Location']);
    }
    expect([...locations]).toEqual(['ws://h/']);
  });
});
