import { Counter } from './counting.js';

let counter: Counter;
beforeAll(() => {
  counter = new Counter();
});
afterAll(() => counter.stop());

describe('the counter', () => {
  it('counts the blocks of our code, and the same in each run', () => {
    const { parseSubprotocols } = counter.load<typeof import('../../lib/handshake/request/subprotocols.js')>(
      'lib/handshake/request/subprotocols',
    );
    const blocks = (size: number): number => counter.cost(() => parseSubprotocols('a'.repeat(size))).blocks;
    const [one, two, four, again] = [blocks(1000), blocks(2000), blocks(4000), blocks(4000)];
    expect(one).toBeGreaterThan(1000);
    expect(four - two).toBe(2 * (two - one));
    expect(again).toBe(four);
  });

  const quadratic: [what: string, work: (text: string) => unknown][] = [
    [
      'looks at the rest of a text again for each character',
      (text) => {
        let at = 0;
        while (text.slice(at).includes(' ')) at++;
      },
    ],
    [
      'copies the rest for each character',
      (text) => {
        for (let rest = text; rest !== ''; rest = rest.slice(1));
      },
    ],
    [
      'splits the text again for each of its parts',
      (text) => {
        for (let i = 0; i < text.length; i++) text.split(',');
      },
    ],
  ];
  it.each(quadratic)('sees it when work %s', (_what, work) => {
    const steps = (size: number): number => counter.cost(() => work(' '.repeat(size))).steps;
    expect(steps(2000) / steps(1000)).toBeGreaterThan(3.9);
  });

  it('takes a piece of a long text for no more than it is', () => {
    const text = 'a'.repeat(100_000);
    expect(counter.cost(() => [text.slice(5, 8), text.startsWith('aa'), text.endsWith('aaa')]).characters).toBe(8);
  });

  it('tells which regular expressions ran, and on what', () => {
    const { patterns } = counter.cost(() => {
      'b  x'.trim().split(/ *, */);
      /a/.test('bc');
      'x-y'.replace(/-/g, '');
    });
    expect(new Set(patterns.map(([source]) => source))).toEqual(new Set(['/ *, */y', '/a/', '/-/g']));
    expect(patterns).toContainEqual(['/a/', 'bc']);
  });

  it('counts what URL and Buffer are given', () => {
    const text = 'a'.repeat(1000);
    expect(counter.cost(() => new URL(`http://${text}.example`)).characters).toBeGreaterThan(1000);
    expect(counter.cost(() => URL.canParse(`http://${text}`)).characters).toBeGreaterThan(1000);
    expect(counter.cost(() => Buffer.from(text)).characters).toBe(1000);
  });

  it('leaves the runtime as it was', () => {
    const natives = (): unknown[] => [URL, String.prototype.split, RegExp.prototype.exec, Buffer.from];
    const before = natives();
    counter.cost(() => expect(natives()).not.toEqual(before));
    expect(natives()).toEqual(before);
    expect(new URL('http://a.example/')).toBeInstanceOf(URL);
  });
});
