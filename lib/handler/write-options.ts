/** What `write` and its like take: the data, its opcode, the options. Each is checked before anything is sent. */
import { checkBoolean, checkOptions } from '../argument-checks.js';
import type { FileOptions } from '../connection/outbound/file-job.js';
import { invalidArgument, invalidOption } from '../errors.js';
import { Opcode } from '../framing/opcode.js';
import { isText } from '../framing/utf8.js';
import { asBytes } from '../memory/bytes.js';

/** What `write` sends: a string as text, anything else as binary data. */
export type Data = string | ArrayBufferView | ArrayBuffer;

export interface PrepareOptions {
  /**
   * `Opcode.Text` for bytes that are UTF-8 already, `Opcode.Binary`, `Opcode.Ping` or `Opcode.Pong`. The data must be bytes then.
   * Default: text for a string, binary for bytes.
   */
  opcode?: Opcode | undefined;
  /** @deprecated The old name of `opcode`, until version 1.0. */
  frame?: Opcode | undefined;
}

export interface WriteOptions extends PrepareOptions {
  /** Send at once, with all that was written before, instead of at the end of this turn of the event loop. Default false. */
  flush?: boolean | undefined;
  /**
   * False sends this message as it is, where messages are compressed (option `compress`): it is compressed already, or it holds a
   * secret together with what a stranger chose. Default true.
   */
  compress?: boolean | undefined;
}

export interface WriteFileOptions extends FileOptions {
  /** As for `write`. Default false. */
  flush?: boolean | undefined;
}

export interface CloseOptions {
  /** False drops what was not sent and ends the connection without a close frame, like `terminate`. Default true. */
  flush?: boolean | undefined;
}

export const NO_OPTIONS = Object.freeze({});
const PREPARE_OPTIONS = ['opcode', 'frame'] satisfies (keyof PrepareOptions)[];
const WRITE_OPTIONS = ['opcode', 'flush', 'compress', 'frame'] satisfies (keyof WriteOptions)[];
export const WRITE_FILE_OPTIONS = ['length', 'offset', 'flush'] satisfies (keyof WriteFileOptions)[];
export const CLOSE_OPTIONS = ['flush'] satisfies (keyof CloseOptions)[];

const WRITE_EXAMPLE = '{ opcode: Opcode.Text, flush: true }';

/** The options that were looked at last: many messages are sent with the same. */
let checked: WriteOptions = NO_OPTIONS;

/** @throws TypeError for options that `write` does not have, or of which one has a value that it may not have */
export function checkWriteOptions(options: WriteOptions): void {
  if (options !== checked) checkNewWriteOptions(options);
}

/** Runs for each message that has options: for those that are right it makes no object, and looks at each name once. */
function checkNewWriteOptions(options: WriteOptions): void {
  let isKnown = false;
  for (const name in options) {
    if (name === 'flush' || name === 'opcode' || name === 'compress' || name === 'frame') isKnown = true;
    // Something may have been put on `Object.prototype` itself.
    else if (Object.hasOwn(options, name)) isKnown = refuseWriteOptions(options);
  }
  if (!isKnown) refuseWriteOptions(options);
  const { flush, compress } = options;
  if (flush !== undefined && flush !== true && flush !== false) checkBoolean('write flush', flush);
  if (compress !== undefined && compress !== true && compress !== false) checkBoolean('write compress', compress);
  checkAlias('write', options);
  checked = options;
}

/** Unless they are empty, or what is not known is not theirs. */
function refuseWriteOptions(options: WriteOptions): boolean {
  checkOptions('write', options, WRITE_OPTIONS, WRITE_EXAMPLE);
  return true;
}

export function checkBroadcastOptions(options: WriteOptions): void {
  checkOptions('broadcast', options, WRITE_OPTIONS, '{ flush: true }');
  checkAlias('broadcast', options);
  checkBoolean('broadcast flush', options.flush ?? false);
  checkBoolean('broadcast compress', options.compress ?? true);
}

export function checkPrepareOptions(options: PrepareOptions): void {
  checkOptions('prepare', options, PREPARE_OPTIONS, '{ opcode: Opcode.Text }');
  checkAlias('prepare', options);
}

function checkAlias(what: string, { opcode, frame }: PrepareOptions): void {
  if (frame === undefined || opcode === undefined || frame === opcode) return;
  throw invalidOption(`${what} frame`, frame, `it is the old name of opcode, which is ${opcode}: leave frame out`);
}

/** The opcode that the options ask for; undefined where it follows from the data. */
export function opcodeOf(options: PrepareOptions): Opcode | undefined {
  return options.opcode === undefined ? options.frame : options.opcode;
}

/** For what somebody has written behind the options. */
export function misplacedOption(value: unknown): TypeError {
  const rule = `options are one object, and come second: write(data, ${WRITE_EXAMPLE})`;
  return invalidArgument('the third argument of write()', value, rule);
}

/** A prepared message brings its opcode with it. */
export function preparedAlready(what: string, opcode: Opcode): TypeError {
  return invalidOption(`${what} opcode`, opcode, 'a prepared message has one already: pass it to prepare()');
}

/** @throws TypeError for anything but bytes */
export function bytesOf(data: Data): Uint8Array {
  const bytes = asBytes(data);
  if (bytes !== undefined) return bytes;
  const rule = typeof data === 'string' ? 'with a frame opcode it must be bytes: Buffer.from(text)' : dataRule(data);
  throw invalidArgument('write data', data, rule);
}

const OPCODES: readonly unknown[] = [Opcode.Text, Opcode.Binary, Opcode.Ping, Opcode.Pong];

/** @throws TypeError for an opcode that `write` cannot send, and for bytes that a frame with it may not have */
export function checkOpcode(opcode: Opcode, bytes: Uint8Array): void {
  if (!OPCODES.includes(opcode)) {
    throw invalidOption('opcode', opcode, 'it must be Opcode.Text, Binary, Ping or Pong; close() sends close frames');
  }
  if (
    opcode === Opcode.Text &&
    !isText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length)
  ) {
    throw invalidArgument('write data', bytes, 'a text frame must be valid UTF-8 (RFC 6455 section 5.6)');
  }
  if (opcode >= Opcode.Ping) checkControlData('ping or pong data', bytes, bytes);
}

/** @throws TypeError for anything but a string or at most 125 bytes */
export function pingDataOf(data: Data | undefined): Buffer | undefined {
  if (data === undefined) return undefined;
  const bytes = typeof data === 'string' ? Buffer.from(data) : asBytes(data);
  if (bytes === undefined) throw invalidArgument('ping data', data, dataRule(data));
  checkControlData('ping data', data, bytes);
  return Buffer.from(bytes);
}

/** @param data as it was given */
function checkControlData(name: string, data: unknown, { byteLength }: Uint8Array): void {
  if (byteLength <= 125) return;
  throw invalidArgument(name, data, `it must be at most 125 bytes (RFC 6455 section 5.5), and has ${byteLength}`);
}

function dataRule(data: unknown): string {
  const rule = 'it must be a string, a Buffer or another view, or an ArrayBuffer';
  if (data === undefined || data === null) return rule;
  return `${rule}; ${typeof data === 'object' ? 'JSON.stringify' : 'String'}() makes a string of it`;
}
