import { NetStruct, Struct, StructError } from '../../lib/index.js';
import { structOf } from '../../lib/struct/struct-cache.js';

describe('a struct by its format', () => {
  it('is compiled once', () => {
    const struct = structOf('!IH');
    expect(struct).toBeInstanceOf(Struct);
    expect(struct.format).toBe('!IH');
    expect(structOf('!IH')).toBe(struct);
    expect(structOf('!HI')).not.toBe(struct);
  });

  it('is itself where a Struct or a NetStruct is given', () => {
    for (const struct of [new Struct('B'), new NetStruct('B$')]) expect(structOf(struct)).toBe(struct);
  });

  it('is forgotten when there are a hundred others, so that formats of strangers cost no memory', () => {
    const struct = structOf('!7I');
    for (let i = 0; i < 99; i++) structOf(`!${i}s`);
    structOf('!100s');
    expect(structOf('!7I')).not.toBe(struct);
  });

  it('is refused where it is malformed, each time, or nothing that can be packed by', () => {
    for (let i = 0; i < 2; i++) expect(() => structOf('!?!')).toThrow(StructError);
    for (const wrong of [undefined, null, 5, {}, Buffer.from('B')]) {
      expect(() => structOf(wrong)).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_WS_INVALID_ARGUMENT' }),
      );
    }
  });
});
