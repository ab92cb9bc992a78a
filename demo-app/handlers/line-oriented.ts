import { WebSocketHandler } from 'websocket-route';
import { rot13 } from '../rot13.js';

/** Answers line by line, however the lines are spread over messages. */
export class LineOriented extends WebSocketHandler {
  // A string reads text. Bytes do not mix with it: they close the connection with 1002.
  override readDelimiter = '\n';

  override onRead(line: string) {
    this.write(rot13(line));
  }
}
