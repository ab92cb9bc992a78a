import { WebSocketHandler } from 'websocket-route';
import { rot13 } from '../rot13.js';

/** Answers line by line, however the client splits its messages. */
export class LineOriented extends WebSocketHandler {
  // A string delimiter reads text. A binary message closes the connection with 1002.
  override readDelimiter = '\n';

  override onRead(line: string) {
    this.write(rot13(line));
  }
}
