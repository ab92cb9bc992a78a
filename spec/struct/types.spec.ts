import { NetStruct } from '../../lib/struct/net-struct.js';
import { Struct } from '../../lib/struct/struct.js';
import type {
  BytesInput,
  NetStructInputs,
  NetStructValues,
  StructInput,
  StructInputs,
  StructValue,
  StructValues,
} from '../../lib/struct/types.js';
import { type Equal, expectType } from '../support/expect-type.js';

type Values<F extends string> = StructValues<F>;
type Integer = number | bigint | boolean;

describe('the values of a format literal', () => {
  it('are known to the compiler, field by field', () => {
    expectType<Equal<Values<'!ILH'>, [number, number, number]>>();
    expectType<Equal<Values<'<q'>, [bigint]>>();
    expectType<Equal<Values<'3h'>, [number, number, number]>>();
    expectType<Equal<Values<'5s'>, [Buffer]>>();
    expectType<Equal<Values<'12pc?d'>, [Buffer, Buffer, boolean, number]>>();
    expectType<Equal<Values<''>, []>>();
    expectType<Equal<Values<'!'>, []>>();
  });

  it('are bigint for l, L, n, N and P in native mode only', () => {
    expectType<Equal<Values<'lLnNP'>, [bigint, bigint, bigint, bigint, bigint]>>();
    expectType<Equal<Values<'@l'>, [bigint]>>();
    expectType<Equal<Values<'!lL'>, [number, number]>>();
  });

  it('skip white space, padding and zero counts', () => {
    expectType<Equal<Values<' 2h\t\n\v\f\r3x ?0l'>, [number, number, boolean]>>();
    expectType<Equal<Values<'<0s'>, [Buffer]>>();
  });

  it('count up to 99, with leading zeros too', () => {
    expectType<Equal<Values<'64B'>['length'], 64>>();
    expectType<Equal<Values<'99B'>['length'], 99>>();
    expectType<Equal<Values<'003B'>, [number, number, number]>>();
    expectType<Equal<Values<'00B'>, []>>();
    expectType<Equal<Values<'300s'>, [Buffer]>>();
  });

  it('are any values where the format is not known', () => {
    expectType<Equal<Values<string>, StructValue[]>>();
    expectType<Equal<Values<`!${string}`>, StructValue[]>>();
    expectType<Equal<Values<'100B'>, StructValue[]>>();
    expectType<Equal<Values<'z'>, StructValue[]>>();
    expectType<Equal<Values<'<n'>, StructValue[]>>();
    expectType<Equal<Values<'h$'>, StructValue[]>>();
  });

  it('are a union for a union of formats', () => {
    expectType<Equal<Values<'B' | '?'>, [number] | [boolean]>>();
  });
});

describe('the values of a NetStruct literal', () => {
  it('have the string in place of its length', () => {
    expectType<Equal<NetStructValues<'ih$5b'>, [number, Buffer, number, number, number, number, number]>>();
    expectType<Equal<NetStructValues<'3h$'>, [number, number, Buffer]>>();
    expectType<Equal<NetStructValues<'<Q$?H$'>, [Buffer, boolean, Buffer]>>();
    expectType<Equal<NetStructValues<''>, []>>();
    expectType<Equal<NetStructValues<string>, StructValue[]>>();
  });

  it('are those of network order without a prefix', () => {
    expectType<Equal<NetStructValues<'l'>, [number]>>();
    expectType<Equal<NetStructValues<'@l'>, [bigint]>>();
  });

  it('are unknown where the format is malformed', () => {
    expectType<Equal<NetStructValues<'$'>, StructValue[]>>();
    expectType<Equal<NetStructValues<'d$'>, StructValue[]>>();
    expectType<Equal<NetStructValues<'e'>, StructValue[]>>();
  });
});

describe('the parameters of pack', () => {
  it('take what fits the field', () => {
    expectType<Equal<StructInputs<'!Iq'>, [Integer, Integer]>>();
    expectType<Equal<StructInputs<'c4s'>, [BytesInput, BytesInput]>>();
    expectType<Equal<StructInputs<'?f'>, [StructInput, Integer]>>();
    expectType<Equal<NetStructInputs<'BH$'>, [Integer, BytesInput]>>();
    expectType<Equal<StructInputs<string>, StructInput[]>>();
  });
});

describe('Struct and NetStruct', () => {
  it('carry the types of their format', () => {
    const header = new Struct('!Iq2s');
    const bytes = header.pack(1, 2n, Buffer.from('ab'));
    const values = header.unpack(bytes);
    expectType<Equal<typeof values, [number, bigint, Buffer]>>();
    expect(values).toEqual([1, 2n, Buffer.from('ab')]);
    const [record] = header.iterUnpack(bytes);
    expectType<Equal<typeof record, [number, bigint, Buffer] | undefined>>();

    const message = new NetStruct('BH$');
    const unpacked = message.unpack(message.pack(1, Buffer.from('ab')));
    expectType<Equal<typeof unpacked, [number, Buffer]>>();
    expect(unpacked).toEqual([1, Buffer.from('ab')]);
    const { result } = message.unpacker();
    expectType<Equal<typeof result, [number, Buffer] | undefined>>();
  });

  it('refuse the wrong number and type of values', () => {
    const pair = new Struct('!Hs');
    // @ts-expect-error two values, not one
    expect(() => pair.pack(1)).toThrow();
    // @ts-expect-error text is not bytes
    expect(() => pair.pack(1, 'a')).toThrow();
    // @ts-expect-error nor is a Buffer a number
    expect(() => pair.pack(Buffer.alloc(1), Buffer.alloc(1))).toThrow();
    // @ts-expect-error a string, not its length
    expect(() => new NetStruct('H$').pack(3)).toThrow();
    // @ts-expect-error a format is text
    expect(() => new Struct(5)).toThrow(TypeError);
  });

  it('take any values where the format is not a literal', () => {
    const format: string = ['<', 'B', '?'].join('');
    const values: StructInput[] = [1, true];
    const struct = new Struct(format);
    expect(struct.pack(...values)).toEqual(Buffer.from([1, 1]));
    const unpacked = struct.unpack(Buffer.from([1, 1]));
    expectType<Equal<typeof unpacked, StructValue[]>>();
  });

  it('a Struct and a NetStruct of a literal are assignable to those of any format', () => {
    const some: Struct = new Struct('!H');
    const other: NetStruct = new NetStruct('H$');
    expect([some.format, other.format]).toEqual(['!H', 'H$']);
  });
});
