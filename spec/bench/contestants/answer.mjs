/** A 101 by hand, for contestants that speak no WebSocket. */
import { createHash } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export const answer = (key) =>
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ' +
  `${createHash('sha1')
    .update(key + GUID)
    .digest('base64')}\r\n\r\n`;
