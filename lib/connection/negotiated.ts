/** What the handshake has settled: all that a connection is made from. */
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
  /** '' for none. */
  readonly subprotocol: string;
  /** The value of `Sec-WebSocket-Extensions`; '' for none. */
  readonly extensions: string;
  /** Undefined where nothing is compressed. */
  readonly deflate: NegotiatedDeflate | undefined;
  /** The addresses as of the handshake: when the peer has reset the connection they can no longer be asked for. */
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
}
