/** Defaults are held against the options that they are defaults of: by the compiler, and not only when a user meets one. */
import { withDefaults } from '../../lib/argument-checks.js';
import { type Equal, expectType } from '../support/expect-type.js';

interface Options {
  readonly size?: number | undefined;
  readonly name?: string | undefined;
}
type Resolved = { readonly [K in keyof Options]-?: Exclude<Options[K], undefined> };

describe('withDefaults', () => {
  it('fills in what is not given, or is undefined', () => {
    const options: Options = { size: undefined, name: 'ada' };
    const resolved = withDefaults<Resolved>({ size: 1, name: '' }, options);
    expectType<Equal<typeof resolved, Resolved>>();
    expect(resolved).toEqual({ size: 1, name: 'ada' });
  });

  it('does not compile with a default of another type, or without one', () => {
    // @ts-expect-error a size is a number
    withDefaults<Resolved>({ size: '1', name: '' }, {});
    // @ts-expect-error a default may not be undefined
    withDefaults<Resolved>({ size: undefined, name: '' }, {});
    // @ts-expect-error the name has no default
    withDefaults<Resolved>({ size: 1 }, {});
    // @ts-expect-error there is no such option
    withDefaults<Resolved>({ size: 1, name: '', colour: 'red' }, {});
    expect(withDefaults).toBeInstanceOf(Function);
  });

  it('does not compile with options of another type', () => {
    const options: { size: string } = { size: '1' };
    // @ts-expect-error a size is a number
    withDefaults<Resolved>({ size: 1, name: '' }, options);
    expect(withDefaults).toBeInstanceOf(Function);
  });
});
