import { checkOwnCloseCodes, countsByLabel } from '../../lib/telemetry/close-code-labels.js';

describe('the labels of close codes', () => {
  it('are the codes themselves below 3000, and one for each thousand above', () => {
    const counts = { 1000: 1, 1006: 2, 2999: 3, 3000: 4, 3999: 5, 4000: 6, 4999: 7 };
    expect(countsByLabel(counts, new Set())).toEqual({ 1000: 1, 1006: 2, 2999: 3, '3xxx': 9, '4xxx': 13 });
  });

  it('are the codes themselves also above, where the user named them', () => {
    expect(countsByLabel({ 4001: 1, 4002: 2, 3001: 3 }, new Set([4001]))).toEqual({ 4001: 1, '4xxx': 2, '3xxx': 3 });
  });
});

describe('close codes of the user’s own', () => {
  it('are a list of codes from 3000 to 4999', () => {
    expect(checkOwnCloseCodes([])).toEqual(new Set());
    expect(checkOwnCloseCodes([3000, 4999, 3000])).toEqual(new Set([3000, 4999]));
  });

  it.each([[[2999]], [[5000]], [[3000.5]], [['4000']], [4000], [undefined], [{}]])('are not %j', (codes) => {
    expect(() => checkOwnCloseCodes(codes)).toThrow(expect.objectContaining({ code: 'ERR_WS_INVALID_OPTION' }));
    expect(() => checkOwnCloseCodes(codes)).toThrow(/^closeCodes is/);
  });
});
