import { checkReadSetting, isReadSetting, READ_SETTINGS } from '../../lib/dispatch/read-settings.js';

describe('the settings of reading', () => {
  it('are readDelimiter, regexSearch and bufferSize', () => {
    expect(READ_SETTINGS).toEqual(['readDelimiter', 'regexSearch', 'bufferSize']);
    expect(READ_SETTINGS.every(isReadSetting)).toBe(true);
    for (const name of ['readdelimiter', 'toString', '__proto__', '']) expect(isReadSetting(name)).toBe(false);
  });

  it.each([
    ['readDelimiter', '\n', ''],
    ['regexSearch', false, 'no'],
    ['bufferSize', 1, 1.5],
  ] as const)('have values that are checked, and named where they are wrong: %s', (name, right, wrong) => {
    expect(() => checkReadSetting(name, right)).not.toThrow();
    expect(() => checkReadSetting(name, wrong)).toThrow(
      `${name} is ${typeof wrong === 'string' ? `'${wrong}'` : wrong}`,
    );
  });
});
