/**
 * A `FrameScanner` in WebAssembly, for the memory that sockets read into. A client masks every octet, and it is
 * cheapest to unmask 16 octets at a time by SIMD, which plain JavaScript lacks. The source of the module is
 * `simd-scan.wat`. A spec checks that the assembled form below matches it.
 */
import { READ_BUFFER_SIZE, WASM_MEMORY } from '../../memory/shared-read-buffer.js';
import { LITTLE_ENDIAN, swapBytes } from '../mask.js';
import { COLUMNS, type FrameScanner, MAX_FRAMES } from './frame-scanner.js';

/** `simd-scan.wat`, assembled. */
export const CODE =
  'AGFzbQEAAAABEAJgA39/fwF/YAR/f39/AX8CEgEGc2hhcmVkBm1lbW9yeQIACQMEAwAAAQcYAwZ1bm1hc2sAAARzY2FuAAEEam9pbgACCvcFA7' +
  'kBAgN7An8gAv0RIQMCQANAIAAgAUEQa0oNASAA/QAAACAD/VEhBCAAIAT9CwAAIAUgBP1QIQUgAEEQaiEADAALCwJAA0AgACABQQRrSg0BIAAo' +
  'AAAgAnMhBiAAIAY2AAAgByAGciEHIABBBGohAAwACwsCQANAIAAgAU4NASAALQAAIAJB/wFxcyEGIAAgBjoAACAHIAZyIQcgAkEIeCECIABBAW' +
  'ohAAwACwsgB0GAgYKEeHEgBf1kcgu0AgEFf0GAgCAhBwJAA0AgAyACTg0BIAEgAGtBBkgNASAALQAAIQQgBEGBAUcgBEGCAUdxDQEgAC0AASEF' +
  'IAVBgAFJDQEgBUH/AHEhBSAAQQZqIQYgBUH+AEYEQCABIABrQQhIDQIgAC0AAkEIdCAALQADciEFIAVB/gBJDQIgAEEIaiEGCyAALQABQf8BRg' +
  'RAIAEgAGtBDkgNAiAAKAACDQIgAC0ABkEYdCAALQAHQRB0ciAALQAIQQh0IAAtAAlyciEFIAVBgIAESQ0CIAUgASAAa0sNAiAAQQ5qIQYLIAYg' +
  'BWohACAAIAFKDQEgByAGNgIAIAcgADYCBCAHIAZBBGsoAAA2AgwgByAEIAYgACAHKAIMEABBAEdBCHRyNgIIIAdBEGohByADQQFqIQMMAAsLIA' +
  'MLgwICBH8BewJAA0AgASAAa0EGSA0BIAAtAAANASAALQABQYABayEEIARB/gBPDQEgBCADSg0BIABBBmohBSAFIARqIQYgBiABSg0BIAAoAAIh' +
  'ByAH/REhCAJAA0AgBSAGQRBrSg0BIAIgBf0AAAAgCP1R/QsAACAFQRBqIQUgAkEQaiECDAALCwJAA0AgBSAGQQRrSg0BIAIgBSgAACAHczYAAC' +
  'AFQQRqIQUgAkEEaiECDAALCwJAA0AgBSAGTg0BIAIgBS0AACAHQf8BcXM6AAAgB0EIeCEHIAVBAWohBSACQQFqIQIMAAsLIAMgBGshAyAGIQAM' +
  'AAsLQYCAICACNgIAIAAL';

/** The table follows the memory that sockets read into. */
const TABLE = READ_BUFFER_SIZE;
const JOINED = TABLE + MAX_FRAMES * COLUMNS * 4;

/**
 * The maximum length of joined fragments, in bytes. More would gain nothing, and V8 repeatedly compiles a loop that
 * rarely ends, before it knows the code after it.
 */
const MOST_JOINED = 8192;

/** The exports of the module. Offsets are relative to the memory, and keys are little-endian. */
interface Exports {
  scan(at: number, end: number, max: number): number;
  /** Returns 0 if the result is all ASCII. */
  unmask(at: number, end: number, key: number): number;
  /** Joins payloads at `to`. The first word of the table receives their end. */
  join(at: number, end: number, to: number, most: number): number;
}

interface Api {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: Record<string, object>) => { readonly exports: Exports };
}

class SimdScanner implements FrameScanner {
  readonly table: Int32Array;
  readonly joined: Buffer;
  joinedLength = 0;
  private readonly exports: Exports;

  constructor(memory: ArrayBuffer, exports: Exports) {
    this.exports = exports;
    this.table = new Int32Array(memory, TABLE, MAX_FRAMES * COLUMNS);
    this.joined = Buffer.from(memory, JOINED, MOST_JOINED);
  }

  scan(_bytes: Buffer, at: number, end: number, max: number): number {
    return this.exports.scan(at, end, max);
  }

  mask(_bytes: Buffer, start: number, end: number, key: number): void {
    this.exports.unmask(start, end, key);
  }

  unmask(_bytes: Buffer, start: number, end: number, key: number): number {
    this.exports.unmask(start, end, swapBytes(key));
    const turn = ((end - start) & 3) << 3;
    return (key << turn) | (key >>> (32 - turn));
  }

  join(at: number, end: number): number {
    const next = this.exports.join(at, end, JOINED, MOST_JOINED);
    this.joinedLength = this.table[0]! - JOINED;
    return next;
  }
}

function assemble(): FrameScanner | undefined {
  const api: unknown = Reflect.get(globalThis, 'WebAssembly');
  // WebAssembly is always little-endian, but a view of its memory has the byte order of the host.
  if (WASM_MEMORY === undefined || !isApi(api) || !LITTLE_ENDIAN) return undefined;
  try {
    const module = new api.Module(Buffer.from(CODE, 'base64'));
    const { exports } = new api.Instance(module, { shared: { memory: WASM_MEMORY } });
    return new SimdScanner(WASM_MEMORY.buffer, exports);
  } catch {
    return undefined;
  }
}

function isApi(value: unknown): value is Api {
  return typeof value === 'object' && value !== null && 'Module' in value && 'Instance' in value;
}

/** Undefined if the host does not support it. */
export const simdScanner: FrameScanner | undefined = assemble();
