/**
 * The status codes of a close frame (RFC 6455 section 7.4.1, and the IANA registry for 1012 to 1014).
 *
 * @example
 * this.close(CloseCode.GOING_AWAY, 'restarting');
 */
export const CloseCode = {
  NORMAL_CLOSURE: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED_DATA: 1003,
  /** Never sent: the close frame carried no code. */
  NO_STATUS_RECEIVED: 1005,
  /** Never sent: the connection ended without a close frame. */
  ABNORMAL_CLOSURE: 1006,
  INVALID_FRAME_PAYLOAD_DATA: 1007,
  POLICY_VIOLATION: 1008,
  MESSAGE_TOO_BIG: 1009,
  MANDATORY_EXTENSION: 1010,
  INTERNAL_ERROR: 1011,
  SERVICE_RESTART: 1012,
  TRY_AGAIN_LATER: 1013,
  BAD_GATEWAY: 1014,
  /** Never sent: the TLS handshake failed. */
  TLS_HANDSHAKE: 1015,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

/**
 * Whether a close frame may carry the code. RFC 6455 section 7.4.1 reserves 1004, and says that 1005, 1006 and 1015
 * "MUST NOT be set as a status code in a Close control frame"; section 7.4.2 leaves 3000 to 4999 to libraries and
 * applications, and everything else undefined.
 */
export function isSendableCloseCode(code: number): boolean {
  return (
    (code >= 3000 && code <= 4999) || (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006)
  );
}
