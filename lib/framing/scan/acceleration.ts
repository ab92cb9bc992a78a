/** The one place that chooses the scanner for a chunk. */
import { type Chunk, SharedChunk } from '../../memory/shared-read-buffer.js';
import type { FrameScanner } from './frame-scanner.js';
import { plainScanner } from './plain-scan.js';
import { simdScanner } from './simd-scan.js';

const sharedScanner: FrameScanner = simdScanner ?? plainScanner;

/** WebAssembly can only access the memory that sockets read into. */
export function scannerFor(chunk: Chunk): FrameScanner {
  return chunk instanceof SharedChunk ? sharedScanner : plainScanner;
}
