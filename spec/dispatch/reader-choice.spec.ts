import type { Delimiter } from '../../lib/dispatch/delimiter.js';
import type { Reader } from '../../lib/dispatch/reader.js';
import { ReaderChoice } from '../../lib/dispatch/reader-choice.js';
import { EntireMessage } from '../../lib/index.js';

/** Writes down what follows from what is set. */
class Choice extends ReaderChoice {
  readonly told: string[] = [];

  constructor(readDelimiter: Delimiter = EntireMessage) {
    super({ readDelimiter, regexSearch: true, bufferSize: 100, maxDelimiterLength: 8 });
  }

  get chosen(): Reader {
    return this.reader;
  }

  protected override onReaderChanged(): void {
    this.told.push('reader');
  }

  protected override onLimitLowered(): void {
    this.told.push('limit');
  }
}

describe('the choice of a reader', () => {
  it('begins with what the settings say', () => {
    const { readDelimiter, regexSearch, bufferSize, limit, told } = new Choice('\n');
    expect([readDelimiter, regexSearch, bufferSize, limit, told]).toEqual(['\n', true, 100, 100, []]);
  });

  it('is made anew with another delimiter, and not with the same', () => {
    const choice = new Choice('a');
    const first = choice.chosen;
    choice.readDelimiter = 'a';
    expect([choice.chosen === first, choice.told]).toEqual([true, []]);
    choice.readDelimiter = 'b';
    expect([choice.chosen === first, choice.told]).toEqual([false, ['reader']]);
  });

  it('is made anew with the same object where that may mean something else by now', () => {
    for (const delimiter of [Buffer.from('a'), /a/]) {
      const choice = new Choice(delimiter);
      choice.readDelimiter = delimiter;
      expect(choice.told).toEqual(['reader']);
    }
  });

  it('depends on regexSearch for patterns only', () => {
    const pattern = new Choice(/a/);
    pattern.regexSearch = true;
    expect(pattern.told).toEqual([]);
    pattern.regexSearch = false;
    expect(pattern.told).toEqual(['reader']);
    const string = new Choice('a');
    string.regexSearch = false;
    expect([string.told, string.regexSearch]).toEqual([[], false]);
  });

  it('takes the limit of its reader, and tells when that becomes less', () => {
    const choice = new Choice('a');
    choice.bufferSize = 200;
    expect([choice.limit, choice.told]).toEqual([200, []]);
    choice.bufferSize = 50;
    expect([choice.limit, choice.told]).toEqual([50, ['limit']]);
    choice.readDelimiter = 1000;
    expect(choice.limit).toBe(Infinity);
    choice.bufferSize = 10;
    expect([choice.limit, choice.told]).toEqual([Infinity, ['limit', 'reader']]);
  });

  it('does not change for a value that a setting may not have', () => {
    const choice = new Choice('a');
    const wrong = expect.objectContaining({ code: 'ERR_WS_INVALID_OPTION' });
    expect(() => Reflect.set(choice, 'readDelimiter', '')).toThrow(wrong);
    expect(() => Reflect.set(choice, 'regexSearch', 1)).toThrow(wrong);
    expect(() => Reflect.set(choice, 'bufferSize', 0)).toThrow(wrong);
    expect([choice.readDelimiter, choice.regexSearch, choice.bufferSize, choice.told]).toEqual(['a', true, 100, []]);
  });
});
