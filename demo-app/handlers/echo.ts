import { WebSocketHandler } from 'websocket-route';

/** Greets the client by name, then echoes every message: text as text, bytes as bytes. */
export class EchoSocket extends WebSocketHandler {
  override onConnect({ name }: { name: string }) {
    this.write(`Hello, ${name}!`);
  }

  override onRead(data: string | Buffer) {
    this.write(data);
  }
}
