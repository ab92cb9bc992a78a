/** The progress through a `NetStruct` record that is still arriving. The caller keeps it; only `measure` changes it. */
export interface ParseState {
  /** The number of segments measured so far. Each is measured once. */
  segment: number;
  /** The start of the next segment, in bytes from the start of the record. */
  offset: number;
  /** The minimum size of the record, in bytes; exact once every segment has been measured. */
  need: number;
}

/** @returns the state before the first byte of a record */
export function newParseState(netStruct: { readonly minimumSize: number }): ParseState {
  return { segment: 0, offset: 0, need: netStruct.minimumSize };
}
