import type { Request } from 'express';
import { WebSocketHandler } from 'websocket-route';

/** Lets in who has a pizza: a program shows a header, a browser, which cannot set one, the cookie of its session. */
export class PizzaSocket extends WebSocketHandler {
  override onHandshake(request: Request) {
    if (this.isSecure && 'x-pizza' in request.headers) return true;
    // What stays on this machine needs no TLS.
    const isPrivate = this.isSecure || this.remoteAddress === '127.0.0.1';
    return isPrivate && request.session.hasPizza === true;
  }

  override onConnect() {
    this.write('Welcome to PizzaNet.');
  }
}
