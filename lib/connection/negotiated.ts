/** The result of the handshake, from which a connection is created. */
import type { CompressSettings, DeflateAgreement } from '../deflate/agreement.js';

/** The protocol version of the handshake: RFC 6455 (13, and its draft 8), or draft-76 (0). */
export type Version = 13 | 8 | 0;

/** How messages are compressed, in either direction. */
export interface NegotiatedDeflate {
  readonly agreement: DeflateAgreement;
  readonly settings: CompressSettings;
}

export interface Negotiated {
  readonly version: Version;
  readonly isSecure: boolean;
  /** '' if there is none. */
  readonly subprotocol: string;
  /** The value of `Sec-WebSocket-Extensions`; '' if there is none. */
  readonly extensions: string;
  /** Undefined without compression. */
  readonly deflate: NegotiatedDeflate | undefined;
  /** The addresses at the time of the handshake: after a reset they can no longer be determined. */
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
}
