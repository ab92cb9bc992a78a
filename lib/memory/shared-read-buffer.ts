/**
 * The memory that all sockets read into. One piece is enough, because each read is handled before the event loop
 * continues with the next socket. Until then the memory is lent as a `SharedChunk`:
 *
 *     socket ──reads into──▶ READ_BUFFER ──lend──▶ SharedChunk ──bytes──▶ parser ──BorrowedBytes──▶ sinks
 *                                 ▲                                                                   │
 *                                 └───────────────────────────takeBack────────────────────────────────┘
 *
 * It is the start of a WebAssembly memory, because WebAssembly can only work on its own memory
 * (`framing/scan/simd-scan.ts`), with room after it for results. With `WS_NO_SIMD=1` in the environment, and without
 * WebAssembly (`--jitless`, no address space left), it is ordinary memory.
 */

/** Large enough to make a system call worthwhile: several complete bulk messages fit. */
export const READ_BUFFER_SIZE = 512 * 1024;

const PAGE = 64 * 1024;
/** For the table of frames, and for joined fragments. */
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

/** Undefined if the read buffer is ordinary memory. */
export const WASM_MEMORY: WebAssemblyMemory | undefined = allocate();

export const READ_BUFFER: Buffer =
  WASM_MEMORY === undefined
    ? Buffer.allocUnsafeSlow(READ_BUFFER_SIZE)
    : Buffer.from(WASM_MEMORY.buffer, 0, READ_BUFFER_SIZE);

/** The bytes of one read, at the start of the shared memory. To keep any of them, copy them. */
export class SharedChunk {
  /** May be modified in place. */
  readonly bytes: Buffer;

  constructor(length: number) {
    this.bytes = READ_BUFFER.subarray(0, length);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Copies the bytes from `start` on. */
  copy(start = 0): Buffer {
    // Outside Node's pool, where a few bytes would keep an 8 KiB block alive.
    const copy = Buffer.allocUnsafeSlow(this.length - start);
    this.bytes.copy(copy, 0, start);
    return copy;
  }
}

/** Bytes for a parser: a buffer of its own, or lent memory. */
export type Chunk = Buffer | SharedChunk;

let lent = false;

/** Lends the first `length` bytes of the memory, until `takeBack`. */
export function lend(length: number): SharedChunk {
  lent = true;
  return new SharedChunk(length);
}

export function takeBack(): void {
  lent = false;
}

/** Whether the memory is lent, and so must not be written to. */
export function isOnLoan(): boolean {
  return lent;
}
