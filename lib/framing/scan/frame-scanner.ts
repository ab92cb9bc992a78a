/**
 * The parser's work on many octets or many frames at a time. There are two implementations: WebAssembly for bytes in
 * the memory that sockets read into (`simd-scan.ts`), and plain JavaScript for all other bytes (`plain-scan.ts`).
 * Callers must not see a difference; `acceleration.ts` chooses.
 */
export interface FrameScanner {
  /**
   * Finds and unmasks the complete single-frame messages from `at` on, up to the first frame that is anything else.
   *
   * @returns the number of messages recorded in `table`
   */
  scan(bytes: Buffer, at: number, end: number, max: number): number;
  /**
   * `COLUMNS` numbers per message: the start and end of its payload, the first octet of its header, and its masking
   * key.
   */
  readonly table: Int32Array;
  /** Masks again a payload that was unmasked too early. `key` is that of `table`. */
  mask(bytes: Buffer, start: number, end: number, key: number): void;
  /**
   * Unmasks bytes[start, end) in place.
   *
   * @param key the masking key as a big-endian 32-bit integer, its first octet due at `start`
   * @returns the key as due at `end`, for the rest of a payload that came in parts
   */
  unmask(bytes: Buffer, start: number, end: number, key: number): number;
  /**
   * Joins the payloads of small continuation frames in `joined` and unmasks them there. It takes frames from `at` on
   * that are complete and not the last of their message. The frames themselves are not modified.
   *
   * @returns the start of the first frame that was not taken
   */
  join(at: number, end: number): number;
  readonly joined: Buffer;
  /** The length of the data in `joined`. */
  readonly joinedLength: number;
}

export const COLUMNS = 4;

/** The capacity of the table, in messages. */
export const MAX_FRAMES = 4096;

/** A flag beside the first octet in the table: the payload may not be all ASCII. */
export const NOT_ASCII = 0x100;
