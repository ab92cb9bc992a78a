/**
 * The memory that all sockets read into, and the work that pays for itself there: a client masks every octet, and to take that
 * back by 16 at a time is what costs least. That is SIMD, which plain JavaScript has not: `burst.wat`, whose assembled form
 * stands here (a spec assembles it anew). It can only work on its own memory, so that is what sockets are given to read into.
 *
 * Where there is no WebAssembly (`--jitless`, no address space left) it is ordinary memory, and the parser does all of it.
 */
/** `burst.wat`, assembled. */
export const CODE =
  'AGFzbQEAAAABEAJgA39/fwF/YAR/f39/AX8CEQEFYnVyc3QGbWVtb3J5AgAJAwQDAAABBxgDBnVubWFzawAABHNjYW4AAQRqb2luAAIK9wUDuQECA3sCfyAC/REh' +
  'AwJAA0AgACABQRBrSg0BIAD9AAAAIAP9USEEIAAgBP0LAAAgBSAE/VAhBSAAQRBqIQAMAAsLAkADQCAAIAFBBGtKDQEgACgAACACcyEGIAAgBjYAACAHIAZyIQcg' +
  'AEEEaiEADAALCwJAA0AgACABTg0BIAAtAAAgAkH/AXFzIQYgACAGOgAAIAcgBnIhByACQQh4IQIgAEEBaiEADAALCyAHQYCBgoR4cSAF/WRyC7QCAQV/QYCAICEH' +
  'AkADQCADIAJODQEgASAAa0EGSA0BIAAtAAAhBCAEQYEBRyAEQYIBR3ENASAALQABIQUgBUGAAUkNASAFQf8AcSEFIABBBmohBiAFQf4ARgRAIAEgAGtBCEgNAiAA' +
  'LQACQQh0IAAtAANyIQUgBUH+AEkNAiAAQQhqIQYLIAAtAAFB/wFGBEAgASAAa0EOSA0CIAAoAAINAiAALQAGQRh0IAAtAAdBEHRyIAAtAAhBCHQgAC0ACXJyIQUg' +
  'BUGAgARJDQIgBSABIABrSw0CIABBDmohBgsgBiAFaiEAIAAgAUoNASAHIAY2AgAgByAANgIEIAcgBkEEaygAADYCDCAHIAQgBiAAIAcoAgwQAEEAR0EIdHI2Aggg' +
  'B0EQaiEHIANBAWohAwwACwsgAwuDAgIEfwF7AkADQCABIABrQQZIDQEgAC0AAA0BIAAtAAFBgAFrIQQgBEH+AE8NASAEIANKDQEgAEEGaiEFIAUgBGohBiAGIAFK' +
  'DQEgACgAAiEHIAf9ESEIAkADQCAFIAZBEGtKDQEgAiAF/QAAACAI/VH9CwAAIAVBEGohBSACQRBqIQIMAAsLAkADQCAFIAZBBGtKDQEgAiAFKAAAIAdzNgAAIAVB' +
  'BGohBSACQQRqIQIMAAsLAkADQCAFIAZODQEgAiAFLQAAIAdB/wFxczoAACAHQQh4IQcgBUEBaiEFIAJBAWohAgwACwsgAyAEayEDIAYhAAwACwtBgIAgIAI2AgAg' +
  'AAs=';

/** As much as is worth a system call: of bulk data several messages lie whole in it. */
const SIZE = 512 * 1024;

/** A number for each of `start`, `end`, `first` and `key`; offsets are those of the memory. */
export const COLUMNS = 4;

/** The table has room for so many frames. */
export const MAX_FRAMES = 4096;

const PAGE = 64 * 1024;
const PAGES = (SIZE + MAX_FRAMES * COLUMNS * 4) / PAGE;

/** Beside the first octet of a header in the table: some of the payload is no ASCII. */
export const NOT_ASCII = 0x100;

export interface Burst {
  /** Notes the whole messages from `at` on, and unmasks them, up to the first frame that is anything else. Returns how many. */
  scan(at: number, end: number, max: number): number;
  /** The same again masks: what was unmasked too early is as it came. Returns 0 for ASCII. `key` is little-endian. */
  unmask(at: number, end: number, key: number): number;
  /**
   * Moves the payloads of continuation frames from `at` on together, to `to`, and unmasks them, up to the first that is not small.
   * Returns where that one begins; `table[0]` tells where the payloads end.
   */
  join(at: number, end: number, to: number, most: number): number;
  readonly table: Int32Array;
}

/** The host's byte order decides how four octets look as one word of a view. */
export const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

interface Api {
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: Record<string, object>,
  ) => { readonly exports: Omit<Burst, 'table'> };
}

function assemble(): { memory: Buffer; burst: Burst | undefined } {
  const api: unknown = Reflect.get(globalThis, 'WebAssembly');
  // WebAssembly is little-endian everywhere, and a view of its memory is as the host is.
  if (!isApi(api) || !LITTLE_ENDIAN) return { memory: Buffer.allocUnsafeSlow(SIZE), burst: undefined };
  try {
    const memory = new api.Memory({ initial: PAGES, maximum: PAGES });
    const module = new api.Module(Buffer.from(CODE, 'base64'));
    const { join, scan, unmask } = new api.Instance(module, { burst: { memory } }).exports;
    const table = new Int32Array(memory.buffer, SIZE);
    return { memory: Buffer.from(memory.buffer, 0, SIZE), burst: { join, scan, unmask, table } };
  } catch {
    return { memory: Buffer.allocUnsafeSlow(SIZE), burst: undefined };
  }
}

function isApi(value: unknown): value is Api {
  return typeof value === 'object' && value !== null && 'Memory' in value && 'Module' in value && 'Instance' in value;
}

const { memory, burst } = assemble();

/** What sockets read into. */
export const MEMORY = memory;

/** Undefined where it cannot be. */
export const BURST = burst;

/** What is lent at the moment. */
let lent: Buffer | undefined;

/** So many bytes of the memory, as a socket has read them: theirs until they are taken back. Who keeps any of them copies them. */
export function lend(length: number): Buffer {
  lent = MEMORY.subarray(0, length);
  return lent;
}

export function takeBack(): void {
  lent = undefined;
}

/** Whether somebody is at it: nothing else may be written there. */
export function isOnLoan(): boolean {
  return lent !== undefined;
}

export function isLent(chunk: Buffer): boolean {
  return chunk === lent;
}
