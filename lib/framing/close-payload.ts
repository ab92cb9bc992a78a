/** The body of a close frame (RFC 6455 section 5.5.1): nothing, or a two-octet code and a reason in UTF-8. */
import { inspectValue, invalidArgument, ProtocolError } from '../errors.js';
import { CloseCode, isSendableCloseCode } from './close-code.js';
import { invalidUtf8, isText } from './utf8.js';

/** A control frame carries at most 125 octets (RFC 6455 section 5.5), and two of them are the code. */
export const MAX_REASON_LENGTH = 123;

/**
 * @throws ProtocolError 1002 for a body of one octet or a code that must not be sent, 1007 for a reason that is not
 * UTF-8
 */
export function parseClosePayload(payload: Buffer): { code: number; reason: string } {
  if (payload.length === 0) return { code: CloseCode.NO_STATUS_RECEIVED, reason: '' };
  // "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer."
  if (payload.length === 1) throw new ProtocolError('close frame of one octet', CloseCode.PROTOCOL_ERROR);
  const code = payload.readUInt16BE(0);
  if (!isSendableCloseCode(code)) throw new ProtocolError(`close code ${code}`, CloseCode.PROTOCOL_ERROR);
  if (!isText(payload, 2, payload.length)) throw invalidUtf8();
  return { code, reason: payload.toString('utf8', 2) };
}

/** @returns the body for a valid code and reason; an empty one for `NO_STATUS_RECEIVED` */
export function closePayload(code: number, reason: string): Buffer {
  if (code === CloseCode.NO_STATUS_RECEIVED) return Buffer.alloc(0);
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return payload;
}

/** @throws TypeError for arguments that `close` does not allow */
export function checkCloseArguments(code: unknown, reason: unknown): void {
  if (typeof code === 'string' && Number.isNaN(Number(code))) {
    throw invalidArgument('close code', code, `the reason comes second: close(1000, ${inspectValue(code)})`);
  }
  if (typeof code === 'boolean' || (typeof code === 'object' && code !== null)) {
    throw invalidArgument(
      'close code',
      code,
      "the code comes first, and options come third: close(1000, '', { flush: false })",
    );
  }
  if (typeof code !== 'number' || !Number.isInteger(code) || !isSendableCloseCode(code)) {
    throw invalidArgument(
      'close code',
      code,
      'it must be 1000 to 1003, 1007 to 1014, or 3000 to 4999; use 4000 to 4999 for codes of your own',
    );
  }
  if (typeof reason !== 'string') {
    throw invalidArgument(
      'close reason',
      reason,
      "it must be a string; options come third: close(1000, '', { flush: false })",
    );
  }
  if (Buffer.byteLength(reason) > MAX_REASON_LENGTH) {
    throw invalidArgument('close reason', reason, `it must be at most ${MAX_REASON_LENGTH} bytes of UTF-8: shorten it`);
  }
}

/** Truncates a text to fit a close frame, without splitting a character. */
export function fitReason(text: string): string {
  if (Buffer.byteLength(text) <= MAX_REASON_LENGTH) return text;
  let fitting = '';
  let length = 0;
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > MAX_REASON_LENGTH) break;
    fitting += character;
  }
  return fitting;
}
