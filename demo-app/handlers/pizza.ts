import type { Request } from 'express';
import { WebSocketHandler } from 'websocket-route';

/** This machine, over IPv4, IPv6, and IPv4 at a server that listens to both. */
const LOOPBACK = ['127.0.0.1', '::1', '::ffff:127.0.0.1'];

/** Lets in who has a pizza: a program shows a header, a browser, which cannot set one, the cookie of its session. */
export class PizzaSocket extends WebSocketHandler {
  override onHandshake(request: Request) {
    if (this.isSecure && 'x-pizza' in request.headers) return true;
    // What stays on this machine needs no TLS.
    const isPrivate = this.isSecure || LOOPBACK.includes(this.remoteAddress ?? '');
    return isPrivate && request.session.hasPizza === true;
  }

  override onConnect() {
    this.write('Welcome to PizzaNet.');
  }
}
