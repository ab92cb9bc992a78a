/** Subprotocols (RFC 6455 section 1.9): the client's offer, and the server's choice. */
import type { IncomingMessage } from 'node:http';
import { HeaderError, inspectValue, invalidOption } from '../../errors.js';
import { abandon } from '../../thenables.js';
import { elementsOf, isToken } from './tokens.js';

/** The chosen name out of those offered, or `undefined` for none. */
export type SubprotocolChooser = (offered: readonly string[], request: IncomingMessage) => string | undefined;

/**
 * Validates the option once and returns the function that chooses for each handshake. Names are compared exactly, as
 * browsers do: RFC 6455 does not define case-insensitivity.
 *
 * @param option a `SubprotocolChoice`; `undefined` (the default) chooses none
 * @throws TypeError (ERR_WS_INVALID_OPTION) immediately for an invalid option; HeaderError later, if a user's
 *   function returns a name that was not offered
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
        `is ${inspectValue(chosen)}: subprotocols() must synchronously return one of the names that the client ` +
          `offered, ${inspectValue(offered)}, or undefined`,
      );
    };
  }
  if (!Array.isArray(option)) {
    throw invalidOption('subprotocols', option, "give an array of names such as ['chat.v1'], or a function");
  }
  // A copy, so that later changes to the user's array have no effect.
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
 * Parses `Sec-WebSocket-Protocol`: `1#token` (RFC 6455 section 4.3), with several fields joined by commas (section
 * 11.3.4). An empty header, which some clients send for an empty list, offers nothing.
 *
 * @returns the names in the client's order of preference, or `undefined` if the header is malformed: a character that
 *   a token cannot contain, or a repeated name (section 4.1: they "MUST all be unique strings")
 * @example
 * parseSubprotocols('chat, superchat'); // ['chat', 'superchat']
 */
export function parseSubprotocols(value: string): string[] | undefined {
  const names = elementsOf(value);
  return names.every(isToken) && new Set(names).size === names.length ? names : undefined;
}
