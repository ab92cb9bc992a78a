/** The one place that decides who does the parser's work. */
import { type Chunk, SharedChunk } from '../memory/shared-read-buffer.js';
import type { FrameScanner } from './frame-scanner.js';
import { plainScanner } from './plain-scan.js';
import { simdScanner } from './simd-scan.js';

const sharedScanner: FrameScanner = simdScanner ?? plainScanner;

/** WebAssembly reaches only the memory that sockets read into. */
export function scannerFor(chunk: Chunk): FrameScanner {
  return chunk instanceof SharedChunk ? sharedScanner : plainScanner;
}
