import { WebSocketHandler } from 'websocket-route';

/** Welcomes by name, then sends back whatever comes: text as text, bytes as bytes. */
export class EchoSocket extends WebSocketHandler {
  override onConnect({ name }: { name: string }) {
    this.write(`Hello, ${name}!`);
  }

  override onRead(data: string | Buffer) {
    this.write(data);
  }
}
