/**
 * Arguments of `write` and related methods: the data, its opcode, the options. All are checked before anything is
 * sent.
 */
import { checkBoolean, checkOptions } from '../argument-checks.js';
import type { FileOptions } from '../connection/outbound/file-job.js';
import { invalidArgument, invalidOption } from '../errors.js';
import { Opcode } from '../framing/opcode.js';
import { isText } from '../framing/utf8.js';
import { asBytes } from '../memory/bytes.js';

/** Data that `write` accepts: a string is sent as text, anything else as binary data. */
export type Data = string | ArrayBufferView | ArrayBuffer;

export interface PrepareOptions {
  /**
   * `Opcode.Text` for bytes that are already UTF-8, `Opcode.Binary`, `Opcode.Ping` or `Opcode.Pong`. The data must
   * then be bytes. Default: text for a string, binary for bytes.
   */
  opcode?: Opcode | undefined;
  /** @deprecated The old name of `opcode`, until version 1.0. */
  frame?: Opcode | undefined;
}

export interface WriteOptions extends PrepareOptions {
  /**
   * Send immediately, together with everything written before, instead of at the end of this turn of the event loop.
   * Default false.
   */
  flush?: boolean | undefined;
  /**
   * `false` sends this message uncompressed on connections that compress (option `compress`): use it for data that is
   * already compressed, or that combines a secret with input from others. Default true.
   */
  compress?: boolean | undefined;
}

export interface WriteFileOptions extends FileOptions {
  /** As for `write`. Default false. */
  flush?: boolean | undefined;
}

export interface CloseOptions {
  /** `false` discards unsent data and closes without a close frame, like `terminate()`. Default true. */
  flush?: boolean | undefined;
}

export const NO_OPTIONS = Object.freeze({});
const PREPARE_OPTIONS = ['opcode', 'frame'] satisfies (keyof PrepareOptions)[];
const WRITE_OPTIONS = ['opcode', 'flush', 'compress', 'frame'] satisfies (keyof WriteOptions)[];
export const WRITE_FILE_OPTIONS = ['length', 'offset', 'flush'] satisfies (keyof WriteFileOptions)[];
export const CLOSE_OPTIONS = ['flush'] satisfies (keyof CloseOptions)[];

const WRITE_EXAMPLE = '{ opcode: Opcode.Text, flush: true }';

/** The options checked last: many messages are sent with the same object. */
let checked: WriteOptions = NO_OPTIONS;

/** @throws TypeError for an unknown option or an invalid value */
export function checkWriteOptions(options: WriteOptions): void {
  if (options !== checked) checkNewWriteOptions(options);
}

/** Runs for each message with options, so valid options cost no allocation, and each name is looked at once. */
function checkNewWriteOptions(options: WriteOptions): void {
  let isKnown = false;
  for (const name in options) {
    if (name === 'flush' || name === 'opcode' || name === 'compress' || name === 'frame') isKnown = true;
    // `for … in` also visits what somebody may have put on `Object.prototype`.
    else if (Object.hasOwn(options, name)) isKnown = refuseWriteOptions(options);
  }
  if (!isKnown) refuseWriteOptions(options);
  const { flush, compress } = options;
  if (flush !== undefined && flush !== true && flush !== false) checkBoolean('write flush', flush);
  if (compress !== undefined && compress !== true && compress !== false) checkBoolean('write compress', compress);
  checkAlias('write', options);
  checked = options;
}

/** Throws unless the options are empty, or the unknown members are inherited. */
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

/** An argument after the options. */
export function misplacedOption(value: unknown): TypeError {
  const rule = `options are one object, and come second: write(data, ${WRITE_EXAMPLE})`;
  return invalidArgument('the third argument of write()', value, rule);
}

/** A prepared message has its own opcode. */
export function preparedAlready(what: string, opcode: Opcode): TypeError {
  return invalidOption(`${what} opcode`, opcode, 'a prepared message has one already: pass it to prepare()');
}

/** @throws TypeError for anything but bytes */
export function bytesOf(data: Data): Uint8Array {
  const bytes = asBytes(data);
  if (bytes !== undefined) return bytes;
  const rule = typeof data === 'string' ? 'with an opcode it must be bytes: Buffer.from(text)' : dataRule(data);
  throw invalidArgument('write data', data, rule);
}

const OPCODES: readonly unknown[] = [Opcode.Text, Opcode.Binary, Opcode.Ping, Opcode.Pong];

/** @throws TypeError for an opcode that `write` cannot send, and for bytes that are invalid in such a frame */
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

/** @param data as the user gave it */
function checkControlData(name: string, data: unknown, { byteLength }: Uint8Array): void {
  if (byteLength <= 125) return;
  throw invalidArgument(name, data, `it must be at most 125 bytes (RFC 6455 section 5.5), and has ${byteLength}`);
}

function dataRule(data: unknown): string {
  const rule = 'it must be a string, a Buffer or another view, or an ArrayBuffer';
  if (data === undefined || data === null) return rule;
  return `${rule}; ${typeof data === 'object' ? 'JSON.stringify' : 'String'}() makes a string of it`;
}
