/** How one side compresses, and what it wants of the other. */
export interface CompressSettings extends DeflateAgreement {
  /** Messages of fewer bytes go as they are. */
  readonly threshold: number;
  /** -1 to 9, as zlib has it. */
  readonly level: number;
  /** 1 to 9, as zlib has it. */
  readonly memLevel: number;
}

/** What both sides of a connection keep to when they compress (RFC 7692 section 7.1). */
export interface DeflateAgreement {
  /** The server compresses each message by itself: it refers to no message before. */
  readonly serverNoContextTakeover: boolean;
  /** The client compresses each message by itself. */
  readonly clientNoContextTakeover: boolean;
  /** The server refers at most 2 to this power bytes back, 8 to 15. */
  readonly serverMaxWindowBits: number;
  /** The client refers at most 2 to this power bytes back, 8 to 15: the server need not remember more. */
  readonly clientMaxWindowBits: number;
}
