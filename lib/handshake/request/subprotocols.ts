/** Subprotocols (RFC 6455 section 1.9): what the client offers, and which of it the server takes. */
import type { IncomingMessage } from 'node:http';
import { HeaderError, inspectValue, invalidOption } from '../../errors.js';
import { abandon } from '../../thenables.js';
import { elementsOf, isToken } from './tokens.js';

/** The name to speak, out of those offered, or `undefined` for none. */
export type SubprotocolChooser = (offered: readonly string[], request: IncomingMessage) => string | undefined;

/**
 * Checks the option once and returns the function that chooses for each handshake. Names are compared exactly: RFC 6455
 * says nothing of case, and browsers compare exactly too.
 *
 * @param option a `SubprotocolChoice`; `undefined` (the default) speaks none
 * @throws TypeError (ERR_WS_INVALID_ARGUMENT) now, for an option that is not one; HeaderError later, when a user's function
 *   picks a name that was not offered
 */
export function compileSubprotocols(option: unknown): SubprotocolChooser {
  if (option === undefined) return () => undefined;
  if (typeof option === 'function') {
    return (offered, request) => {
      const chosen: unknown = option(offered, request);
      if (chosen === undefined) return undefined;
      // RFC 6455 section 4.2.2: the value "MUST be derived from the client's handshake".
      if (typeof chosen === 'string' && offered.includes(chosen)) return chosen;
      abandon(chosen);
      throw new HeaderError(
        'Sec-WebSocket-Protocol',
        `is ${inspectValue(chosen)}: subprotocols() must return, not in a promise, one of the names the client offered, ` +
          `${inspectValue(offered)}, or undefined`,
      );
    };
  }
  if (!Array.isArray(option)) {
    throw invalidOption('subprotocols', option, "give an array of names such as ['chat.v1'], or a function");
  }
  // A copy: changing the array later must not change what was checked.
  const preferred = Array.from<unknown, string>(option, (name) => {
    if (typeof name === 'string' && isToken(name)) return name;
    throw invalidOption(
      'an entry of subprotocols',
      name,
      "a subprotocol is a token (RFC 7230 section 3.2.6), without spaces, commas or quotes: use a name such as 'chat.v1'",
    );
  });
  return (offered) => preferred.find((name) => offered.includes(name));
}

/**
 * Reads `Sec-WebSocket-Protocol`: `1#token` (RFC 6455 section 4.3), several fields joined by commas (section 11.3.4). An empty
 * header, which some clients send for an empty list, offers nothing.
 *
 * @returns the names in the client's order of preference, or `undefined` when the header is malformed: a character no token
 *   has, or a name that stands twice (section 4.1: they "MUST all be unique strings")
 * @example
 * parseSubprotocols('chat, superchat'); // ['chat', 'superchat']
 */
export function parseSubprotocols(value: string): string[] | undefined {
  const names = elementsOf(value);
  return names.every(isToken) && new Set(names).size === names.length ? names : undefined;
}
