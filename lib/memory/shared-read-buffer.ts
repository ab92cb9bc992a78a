/**
 * The memory that all sockets read into. What one of them has read is handled before the event loop goes on to the
 * next, so one piece is enough. It is lent for that long, as a `SharedChunk`:
 *
 *     socket ──reads into──▶ READ_BUFFER ──lend──▶ SharedChunk ──bytes──▶ parser ──BorrowedBytes──▶ sinks
 *                                 ▲                                                                   │
 *                                 └───────────────────────────takeBack────────────────────────────────┘
 *
 * It is the beginning of WebAssembly's memory, because that can only work on its own (`framing/simd-scan.ts`), with
 * room behind it for what it finds there. With `WS_NO_SIMD=1` in the environment, and where there is no WebAssembly
 * (`--jitless`, no address space left), it is ordinary memory.
 */

/** As much as is worth a system call: of bulk data several messages lie whole in it. */
export const READ_BUFFER_SIZE = 512 * 1024;

const PAGE = 64 * 1024;
/** For a table, and for what is joined. */
const PAGES_BEHIND = 2;
const PAGES = READ_BUFFER_SIZE / PAGE + PAGES_BEHIND;

interface WebAssemblyMemory {
  readonly buffer: ArrayBuffer;
}

interface MemoryApi {
  readonly Memory: new (size: { initial: number; maximum: number }) => WebAssemblyMemory;
}

function allocate(): WebAssemblyMemory | undefined {
  const api: unknown = Reflect.get(globalThis, 'WebAssembly');
  if (process.env['WS_NO_SIMD'] === '1' || !hasMemory(api)) return undefined;
  try {
    return new api.Memory({ initial: PAGES, maximum: PAGES });
  } catch {
    return undefined;
  }
}

function hasMemory(value: unknown): value is MemoryApi {
  return typeof value === 'object' && value !== null && 'Memory' in value;
}

/** Undefined where it is ordinary memory. */
export const WASM_MEMORY: WebAssemblyMemory | undefined = allocate();

/** What sockets read into. */
export const READ_BUFFER: Buffer =
  WASM_MEMORY === undefined
    ? Buffer.allocUnsafeSlow(READ_BUFFER_SIZE)
    : Buffer.from(WASM_MEMORY.buffer, 0, READ_BUFFER_SIZE);

/** What a socket has read, from the beginning of that memory on. Whoever keeps any of it copies it. */
export class SharedChunk {
  /** May be written to. */
  readonly bytes: Buffer;

  constructor(length: number) {
    this.bytes = READ_BUFFER.subarray(0, length);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** What comes from `start` on, in memory of its own. */
  copy(start = 0): Buffer {
    // Not of Node's pool, where a few bytes would keep the 8 KiB that they are cut from.
    const copy = Buffer.allocUnsafeSlow(this.length - start);
    this.bytes.copy(copy, 0, start);
    return copy;
  }
}

/** Bytes on their way to a parser: its own, or memory that is lent. */
export type Chunk = Buffer | SharedChunk;

let lent = false;

/** So many bytes of the memory, until they are taken back. */
export function lend(length: number): SharedChunk {
  lent = true;
  return new SharedChunk(length);
}

export function takeBack(): void {
  lent = false;
}

/** Whether somebody is at it: nothing else may be written there. */
export function isOnLoan(): boolean {
  return lent;
}
