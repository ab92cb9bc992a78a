/** What is known about a unit of a `NetStruct` that is still arriving. The caller keeps it, and nobody else changes it. */
export interface ParseState {
  /** How many segments have been looked at; each is looked at once. */
  segment: number;
  /** Where the next segment begins, in bytes from the start of the unit. */
  offset: number;
  /** How many bytes the unit has at least; exact once every segment has been looked at. */
  need: number;
}

/** Where a fresh unit stands. */
export function newParseState(netStruct: { readonly minimumSize: number }): ParseState {
  return { segment: 0, offset: 0, need: netStruct.minimumSize };
}
