import { compilePrefix } from '../../lib/routing/path-prefix.js';

describe('a prefix', () => {
  it.each([
    [
      '/ws',
      ['/ws', '/ws/', '/WS', '/ws/a', '/ws/a/b', '/ws//', '/ws/%ff'],
      ['/wsx', '/', '', '/a/ws', '//ws', '/ws%2Fa'],
    ],
    ['/ws/', ['/ws', '/ws/', '/ws/a'], ['/wsx', '/']],
    ['/a/b', ['/a/b', '/a/b/c'], ['/a', '/a/', '/a/bc']],
    ['/', ['/', '/ws', '/ws/a', '//ws'], []],
    ['/rooms/:id', ['/rooms/7', '/rooms/7/x'], ['/rooms', '/rooms/']],
    [
      ['/ws', '/live'],
      ['/ws/a', '/live', '/live/x'],
      ['/other', '/liver'],
    ],
  ])('%j covers what Express mounts there', (prefix, inside, outside) => {
    const isInside = compilePrefix(prefix);
    expect(inside.filter((path) => !isInside(path))).toEqual([]);
    expect(outside.filter((path) => isInside(path))).toEqual([]);
  });

  it('a prefix that is left out covers everything, even what is no path', () => {
    expect(['/', '/ws', '', '*'].every(compilePrefix(undefined))).toBe(true);
  });

  it.each([[''], ['ws'], ['/ws/:'], [[]], [['/ws', 7]], [7], [null], [/ws/]])('cannot be %j', (prefix) => {
    expect(() => compilePrefix(prefix as string)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_WS_INVALID_PATH' }),
    );
  });

  it('is read once: changing the array later changes nothing', () => {
    const prefixes = ['/ws'];
    const isInside = compilePrefix(prefixes);
    prefixes.push('/other');
    expect(isInside('/other')).toBe(false);
  });
});
