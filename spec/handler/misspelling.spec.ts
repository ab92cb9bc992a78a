import { isSlip, isSpelling } from '../../lib/handler/misspelling.js';

describe('another spelling of a name', () => {
  it.each(['read_delimiter', 'ReadDelimiter', 'readdelimiter', 'read-delimiter'])('is %s', (name) => {
    expect(isSpelling(name, 'readDelimiter')).toBe(true);
  });

  it.each(['READ_DELIMITER', '_readDelimiter', 'readDelimiters', 'delimiter'])('is not %s', (name) => {
    expect(isSpelling(name, 'readDelimiter')).toBe(false);
  });
});

describe('a slip of the pen', () => {
  it.each([
    ['readDelimeter', 'readDelimiter'],
    ['readDelimitr', 'readDelimiter'],
    ['onHandshaek', 'onHandshake'],
    ['onCloes', 'onClose'],
    ['onReead', 'onRead'],
    ['onConect', 'onConnect'],
  ])('is %s', (name, known) => {
    expect(isSlip(name, known)).toBe(true);
  });

  it.each([
    ['readDelimiter', 'readDelimiter'],
    ['readDelimiters', 'readDelimiter'],
    ['headDelimiter', 'readDelimiter'],
    ['raedDelimeter', 'readDelimiter'],
    ['onReader', 'onRead'],
    ['onHead', 'onRead'],
    ['', 'onRead'],
  ])('is not %p, beside %s', (name, known) => {
    expect(isSlip(name, known)).toBe(false);
  });
});
