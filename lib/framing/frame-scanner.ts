/**
 * The work of the parser that is done for many octets, or many frames, at a time. It is done in two ways: by
 * WebAssembly where the bytes stand in the memory that sockets read into (`simd-scan.ts`), and in plain JavaScript for
 * all others (`plain-scan.ts`). Which of them it is must not be seen from outside; `acceleration.ts` chooses.
 */
export interface FrameScanner {
  /**
   * Notes the whole messages from `at` on, each in one frame, and unmasks them, up to the first frame that is anything
   * else.
   *
   * @returns how many it has noted in `table`
   */
  scan(bytes: Buffer, at: number, end: number, max: number): number;
  /**
   * For each message `COLUMNS` numbers: where its payload starts and ends, the first octet of its header, and its
   * masking key.
   */
  readonly table: Int32Array;
  /** Masks again what was unmasked too early. `key` is that of `table`. */
  mask(bytes: Buffer, start: number, end: number, key: number): void;
  /**
   * Unmasks bytes[start, end) in place.
   *
   * @param key the masking key as a big-endian 32-bit integer, its first octet due at `start`
   * @returns the key as due at `end`, for the rest of a payload that came in parts
   */
  unmask(bytes: Buffer, start: number, end: number, key: number): number;
  /**
   * Puts the payloads of small continuation frames together in `joined`, and unmasks them there: those from `at` on
   * that are whole, and not the last of their message. What they came in stays as it is.
   *
   * @returns where the first frame begins that was not taken
   */
  join(at: number, end: number): number;
  readonly joined: Buffer;
  /** How much of that the last call has filled. */
  readonly joinedLength: number;
}

export const COLUMNS = 4;

/** The table has room for so many messages. */
export const MAX_FRAMES = 4096;

/** Beside the first octet of a header in the table: some of the payload may be no ASCII. */
export const NOT_ASCII = 0x100;
