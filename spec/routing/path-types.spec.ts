import type { Converter } from '../../lib/handler/options/options.js';
import { toInteger } from '../../lib/routing/path.js';
import type { ConvertedParams, ParamsOf } from '../../lib/routing/path-types.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles if the types are equal; jest, which drops types, sees only that the file can be loaded. */
function equal<A, B>(verdict: Equal<A, B>): void {
  expect(verdict).toBe(true);
}

describe('ParamsOf', () => {
  it('reads named parameters', () => {
    equal<ParamsOf<'/ws'>, Record<never, never>>(true);
    equal<ParamsOf<'/ws/:name'>, { name: string }>(true);
    equal<ParamsOf<'/ws/:room/users/:user'>, { room: string; user: string }>(true);
    equal<ParamsOf<'/:from-:to.json'>, { from: string; to: string }>(true);
    equal<ParamsOf<'/:a_b$1'>, { a_b$1: string }>(true);
    equal<ParamsOf<'/:größe/x'>, { größe: string }>(true);
  });

  it('reads optional groups, also nested', () => {
    equal<ParamsOf<'/ws{/:id}'>, { id?: string }>(true);
    equal<ParamsOf<'/ws{/:a{/:b}}/:c'>, { a?: string; b?: string; c: string }>(true);
    equal<ParamsOf<'/a{/:x}/b/:x'>, { x: string }>(true);
  });

  it('reads wildcards', () => {
    equal<ParamsOf<'/files/*rest'>, { rest: string[] }>(true);
    equal<ParamsOf<'/files{/*rest}'>, { rest?: string[] }>(true);
  });

  it('reads quoted names and escapes', () => {
    equal<ParamsOf<'/:"a b"/x'>, { 'a b': string }>(true);
    equal<ParamsOf<'/:"a\\"b"c'>, { 'a"b': string }>(true);
    equal<ParamsOf<'/\\:no/:yes'>, { yes: string }>(true);
  });

  it('pretends nothing of a path it cannot see', () => {
    equal<ParamsOf<string>, Record<string, string | string[]>>(true);
    equal<ParamsOf<`/ws/${string}`>, Record<string, string | string[]>>(true);
    equal<ParamsOf<string[]>, Record<string, string | string[]>>(true);
    equal<ParamsOf<undefined>, Record<never, never>>(true);
  });

  it('is one or the other of several paths', () => {
    equal<ParamsOf<readonly ['/a/:x', '/b/:y']>, { x: string } | { y: string }>(true);
  });

  it('knows no other parameters', () => {
    const params: ParamsOf<'/ws/:name'> = { name: 'ann' };
    expect(params.name).toBe('ann');
    // @ts-expect-error there is no such parameter
    expect(params.nam).toBeUndefined();
    // @ts-expect-error an optional parameter may be absent
    const id: string = ({} as ParamsOf<'/ws{/:id}'>).id;
    expect(id).toBeUndefined();
  });
});

describe('ConvertedParams', () => {
  const convert = { id: toInteger, when: (text: string) => (text === '' ? undefined : new Date(text)) };
  type C = typeof convert;

  it('has the types that converters return, undefined aside', () => {
    equal<ConvertedParams<'/ws/:id/:name', C>, { id: number; name: string }>(true);
    equal<ConvertedParams<'/ws{/:id}', C>, { id?: number }>(true);
    equal<ConvertedParams<'/ws/:when/*id', C>, { when: Date; id: number }>(true);
    expect(convert.id('7')).toBe(7);
  });

  it('changes nothing without converters', () => {
    equal<ConvertedParams<'/ws/:id', undefined>, { id: string }>(true);
    equal<ConvertedParams<'/ws{/:id}', Record<never, never>>, { id?: string }>(true);
    equal<ConvertedParams<undefined, undefined>, Record<never, never>>(true);
  });

  it('pretends nothing of converters or of a path it cannot see', () => {
    equal<ConvertedParams<'/ws/:id', Record<string, Converter>>, { id: unknown }>(true);
    equal<ConvertedParams<string, { id: Converter<number> }>, Record<string, string | string[] | number>>(true);
    equal<ConvertedParams<string, undefined>, Record<string, string | string[]>>(true);
  });

  it('converts each of several paths', () => {
    equal<ConvertedParams<readonly ['/a/:id', '/b/:y'], C>, { id: number } | { y: string }>(true);
  });
});
