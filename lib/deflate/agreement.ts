/** The compression settings of one side, and its requirements for the other. */
export interface CompressSettings extends DeflateAgreement {
  /** Messages of fewer bytes are sent uncompressed. */
  readonly threshold: number;
  /** zlib's level, -1 to 9. */
  readonly level: number;
  /** zlib's memory level, 1 to 9. */
  readonly memLevel: number;
}

/** The compression parameters that both sides have agreed on (RFC 7692 section 7.1). */
export interface DeflateAgreement {
  /** The server compresses each message independently, without reference to earlier ones. */
  readonly serverNoContextTakeover: boolean;
  /** The client compresses each message independently. */
  readonly clientNoContextTakeover: boolean;
  /** The base-2 logarithm of the server's window, 8 to 15: it refers back at most that many bytes. */
  readonly serverMaxWindowBits: number;
  /** The base-2 logarithm of the client's window, 8 to 15: the server need not keep more. */
  readonly clientMaxWindowBits: number;
}
