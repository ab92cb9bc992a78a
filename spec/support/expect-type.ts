/** True when the compiler takes `A` and `B` for the same type; `any` and unions are told apart. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/**
 * `expectType<Equal<A, B>>()` compiles only if the two are the same. `npm run types` is what checks it: jest strips types.
 */
export function expectType<_Same extends true>(): void {}
