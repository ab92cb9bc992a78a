/** The one list of hooks, and the one of read settings, held against all that is typed by them. */
import { HOOKS, type Hook } from '../../lib/connection/hook-list.js';
import type { ConnectionHooks } from '../../lib/connection/hooks.js';
import { READ_SETTINGS, type ReadSettings } from '../../lib/dispatch/read-settings.js';
import {
  type Delimiter,
  type EntireMessage,
  type HandlerHooks,
  type HookName,
  WebSocketHandler,
} from '../../lib/index.js';
import { type Equal, expectType } from '../support/expect-type.js';

type HooksOf<T> = Extract<keyof T, `on${string}`>;

describe('the list of hooks', () => {
  it('is what a handler has, and a literal, and what a connection calls', () => {
    expectType<Equal<HooksOf<WebSocketHandler>, Hook>>();
    expectType<Equal<HooksOf<HandlerHooks<[], typeof EntireMessage>>, Hook>>();
    expectType<Equal<keyof ConnectionHooks, Exclude<Hook, 'onHandshake'>>>();
    expectType<Equal<HookName, Exclude<Hook, 'onError'>>>();
    const own = Object.getOwnPropertyNames(WebSocketHandler.prototype).filter((name) => name.startsWith('on'));
    expect(own).toEqual([...HOOKS]);
  });
});

describe('the list of read settings', () => {
  it('is what a handler has, and a literal', () => {
    expectType<Equal<Pick<WebSocketHandler, keyof ReadSettings>, ReadSettings>>();
    expectType<Equal<HandlerHooks<[], Delimiter>['regexSearch'], boolean | undefined>>();
    const own = Object.getOwnPropertyNames(WebSocketHandler.prototype);
    expect(READ_SETTINGS.filter((name) => !own.includes(name))).toEqual([]);
    expect(READ_SETTINGS).toHaveLength(3);
  });
});
