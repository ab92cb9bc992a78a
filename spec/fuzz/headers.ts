/** Headers of handshakes, to be fuzzed. */
import fc from 'fast-check';
import { KEY } from '../support/raw-client.js';

/** Texts of headers, as Node gives them: a character a byte. */
export const latin1 = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map((bytes) =>
    Buffer.from(bytes)
      .toString('latin1')
      .replaceAll(/[\0\r\n]/g, ' '),
  );

/** The headers of a handshake that is accepted. */
export const GOOD = {
  host: 'example.com',
  upgrade: 'websocket',
  connection: 'keep-alive, Upgrade',
  'sec-websocket-version': '13',
  'sec-websocket-key': KEY,
  'sec-websocket-protocol': 'chat, superchat',
  'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits',
  origin: 'http://example.com',
};
