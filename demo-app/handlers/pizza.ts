import type { Request } from 'express';
import { WebSocketHandler } from 'websocket-route';

/** This machine over IPv4, over IPv6, and over IPv4 on a server that listens on both. */
const LOOPBACK = ['127.0.0.1', '::1', '::ffff:127.0.0.1'];

/** Accepts clients with a pizza: programs send a header; browsers, which cannot set one, send a session cookie. */
export class PizzaSocket extends WebSocketHandler {
  override onHandshake(request: Request) {
    if (this.isSecure && 'x-pizza' in request.headers) return true;
    // Connections within this machine need no TLS.
    const isPrivate = this.isSecure || LOOPBACK.includes(this.remoteAddress ?? '');
    return isPrivate && request.session.hasPizza === true;
  }

  override onConnect() {
    this.write('Welcome to PizzaNet.');
  }
}
