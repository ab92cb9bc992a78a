import { stat } from 'node:fs/promises';
import { WebSocketHandler } from 'websocket-route';
import { sha256 } from '../shared-files.js';

const MAX_SIZE = 8 * 1024 * 1024;

/** Announces the file, sends it as one binary message, and closes. */
export class Download extends WebSocketHandler {
  override async onConnect(path: string) {
    const { size } = await stat(path);
    const length = Math.min(size, MAX_SIZE);
    this.write(JSON.stringify({ size: length, sha256: await sha256(path, length) }));
    // The file is read while it is sent, so a large file needs no more memory than a small one.
    await this.writeFile(path, { length });
    this.close();
  }
}
