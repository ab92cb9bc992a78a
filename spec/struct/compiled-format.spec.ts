import { CompiledFormat, readSlot } from '../../lib/struct/compiled-format.js';

const bytes = Buffer.from([0xff, 1, 2, 3, 4, 5, 6]);

describe('a compiled format', () => {
  it.each([
    ['', []],
    ['B', [1]],
    ['BB', [1, 2]],
    ['3B', [1, 2, 3]],
    ['BBBB', [1, 2, 3, 4]],
    ['B3BB', [1, 2, 3, 4, 5]],
    ['6B', [1, 2, 3, 4, 5, 6]],
    ['!HxH', [0x102, 0x405]],
  ])('%p reads its values from any place on', (format, values) => {
    const compiled = new CompiledFormat(format);
    expect(compiled.read(bytes, 1)).toEqual(values);
    expect(compiled.count).toBe(values.length);
  });

  it.each(['', 'B', '4B', '5B', '!2H3s'])('%p has a slot for each value, if they are four at most', (format) => {
    const compiled = new CompiledFormat(format);
    const values = compiled.slots.map((slot) => readSlot(slot, bytes, 0));
    expect(values).toEqual(compiled.count <= 4 ? compiled.read(bytes, 0) : []);
  });

  it('writes its values to any place', () => {
    const compiled = new CompiledFormat('!H2B');
    const target = Buffer.alloc(6);
    expect(compiled.write(target, 1, [0x102, 3, 4])).toBeUndefined();
    expect([...target]).toEqual([0, 1, 2, 3, 4, 0]);
  });

  it('says which value broke which rule', () => {
    const broken = new CompiledFormat('B2H').write(Buffer.alloc(6), 0, [1, 2, 65_536]);
    expect(broken).toEqual({ index: 2, rule: expect.stringContaining('65535') });
  });
});
