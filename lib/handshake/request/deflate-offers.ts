/** Negotiates permessage-deflate (RFC 7692 section 7.1) from the client's offers. */
import type { DeflateAgreement } from '../../deflate/agreement.js';
import type { ExtensionOffer, ExtensionParam } from './extensions.js';

/** The default window bits: "up to 32,768 bytes" (section 7.1.2). */
const WIDEST = 15;

interface DeflateOffer {
  serverNoContextTakeover: boolean;
  clientNoContextTakeover: boolean;
  /** `undefined` if the parameter is absent. */
  serverMaxWindowBits: number | undefined;
  /** `undefined` if the parameter is absent; without a value it allows any. */
  clientMaxWindowBits: number | undefined;
}

/**
 * Accepts the first acceptable offer of permessage-deflate. Section 5: "An element preceding another element has
 * higher preference. It is recommended that a server accepts PMCEs with higher preference if the server supports
 * them." Unacceptable offers and other extensions are skipped. Never throws.
 *
 * @param wanted the server's preferences; an offer that allows less memory reduces them
 * @returns the agreed parameters, and the value of the response's `Sec-WebSocket-Extensions`; or `undefined` if no
 *   offer is acceptable: the response then has no such header, and nothing is compressed
 * @example
 * const wanted = {
 *   serverNoContextTakeover: true,
 *   clientNoContextTakeover: false,
 *   serverMaxWindowBits: 15,
 *   clientMaxWindowBits: 10,
 * };
 * const params = [{ name: 'client_max_window_bits', value: undefined }];
 * agreeOnDeflate([{ name: 'permessage-deflate', params }], wanted);
 * // { agreement: wanted, header: 'permessage-deflate; server_no_context_takeover; client_max_window_bits=10' }
 */
export function agreeOnDeflate(
  offers: readonly ExtensionOffer[],
  wanted: DeflateAgreement,
): { agreement: DeflateAgreement; header: string } | undefined {
  for (const { name, params } of offers) {
    if (name !== 'permessage-deflate') continue;
    const offer = readOffer(params);
    if (offer === undefined || !isSupported(offer, wanted)) continue;
    const agreement = agree(offer, wanted);
    return { agreement, header: response(offer, agreement) };
  }
  return undefined;
}

/**
 * Section 7: "A server MUST decline an extension negotiation offer for this extension if any of the following
 * conditions are met": it "contains an extension parameter not defined for use in an offer", it "contains an extension
 * parameter with an invalid value", it "contains multiple extension parameters with the same name".
 *
 * @returns `undefined` for an offer to decline
 */
function readOffer(params: readonly ExtensionParam[]): DeflateOffer | undefined {
  const offer: DeflateOffer = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: undefined,
    clientMaxWindowBits: undefined,
  };
  for (const { name, value } of params) {
    switch (name) {
      // Sections 7.1.1.1 and 7.1.1.2: "This extension parameter has no value."
      case 'server_no_context_takeover':
        if (value !== undefined || offer.serverNoContextTakeover) return undefined;
        offer.serverNoContextTakeover = true;
        break;
      case 'client_no_context_takeover':
        if (value !== undefined || offer.clientNoContextTakeover) return undefined;
        offer.clientNoContextTakeover = true;
        break;
      case 'server_max_window_bits': {
        const bits = readBits(value);
        if (bits === undefined || offer.serverMaxWindowBits !== undefined) return undefined;
        offer.serverMaxWindowBits = bits;
        break;
      }
      // Section 7.1.2.2: it "has no value or a decimal integer value".
      case 'client_max_window_bits': {
        const bits = value === undefined ? WIDEST : readBits(value);
        if (bits === undefined || offer.clientMaxWindowBits !== undefined) return undefined;
        offer.clientMaxWindowBits = bits;
        break;
      }
      default:
        return undefined;
    }
  }
  return offer;
}

/** Section 7.1.2: "a decimal integer value without leading zeroes between 8 to 15". */
function readBits(value: string | undefined): number | undefined {
  const bits = Number(value);
  return Number.isInteger(bits) && bits >= 8 && bits <= WIDEST && String(bits) === value ? bits : undefined;
}

/**
 * The last condition of section 7: "The server doesn't support the offered configuration." A client that does not
 * offer `client_max_window_bits` must not receive it (section 7.1.2.2), and would use the widest window: more memory
 * than the server wants to spend.
 */
function isSupported(offer: DeflateOffer, wanted: DeflateAgreement): boolean {
  return offer.clientMaxWindowBits !== undefined || wanted.clientMaxWindowBits >= WIDEST;
}

function agree(offer: DeflateOffer, wanted: DeflateAgreement): DeflateAgreement {
  return {
    serverNoContextTakeover: offer.serverNoContextTakeover || wanted.serverNoContextTakeover,
    clientNoContextTakeover: offer.clientNoContextTakeover || wanted.clientNoContextTakeover,
    serverMaxWindowBits: Math.min(offer.serverMaxWindowBits ?? WIDEST, wanted.serverMaxWindowBits),
    clientMaxWindowBits: Math.min(offer.clientMaxWindowBits ?? WIDEST, wanted.clientMaxWindowBits),
  };
}

/** The agreement in the syntax of section 7.1: everything the client cannot take for granted. */
function response(offer: DeflateOffer, agreement: DeflateAgreement): string {
  const parts = ['permessage-deflate'];
  if (agreement.serverNoContextTakeover) parts.push('server_no_context_takeover');
  // From the client it is "a hint" (section 7.1.1.2); our response makes it a promise.
  if (agreement.clientNoContextTakeover) parts.push('client_no_context_takeover');
  // Section 7.1.2.1: "A server accepts an extension negotiation offer with this parameter by including" it.
  if (offer.serverMaxWindowBits !== undefined || agreement.serverMaxWindowBits < WIDEST) {
    parts.push(`server_max_window_bits=${agreement.serverMaxWindowBits}`);
  }
  // Also a hint, if it has a value. The agreed value is below the maximum only if the client offered the parameter.
  if (agreement.clientMaxWindowBits < WIDEST) parts.push(`client_max_window_bits=${agreement.clientMaxWindowBits}`);
  return parts.join('; ');
}
