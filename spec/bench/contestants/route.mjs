/**
 * This library, as a user of Express has it: a route, a handler, and all that is on by default. `WEBSOCKET_ROUTE` is the URL of
 * another build of it.
 */
import express from 'express';
import { announce } from './announce.mjs';
import { httpServer } from './secure.mjs';

const { WEBSOCKET_ROUTE = 'websocket-route' } = process.env;
const { prepare, Struct, WebSocketHandler, websocketRoute } = await import(WEBSOCKET_ROUTE);

const app = express();
const members = new Set();

class Echo extends WebSocketHandler {
  onRead(data) {
    this.write(data);
  }
}

class Member extends WebSocketHandler {
  onConnect() {
    members.add(this);
  }

  onRead(data) {
    for (const member of members) member.write(data);
  }

  onClose() {
    members.delete(this);
  }
}

class Preparing extends Member {
  onRead(data) {
    const message = prepare(data);
    for (const member of members) member.write(message);
  }
}

class Idle extends WebSocketHandler {
  onRead(data) {
    this.write(data);
  }
}

/** Counts units, and says how many when a message of one byte comes. */
let units = 0;
let sum = 0;
class Lines extends WebSocketHandler {
  readDelimiter = '\n';
  onRead(line) {
    units++;
    if (line === 'done') this.write(String(units));
  }
}
class Whole extends WebSocketHandler {
  onRead(message) {
    units++;
    if (message === 'done\n') this.write(String(units));
  }
}
class Records extends WebSocketHandler {
  readDelimiter = new Struct('!ILH');
  onRead(a, b, c) {
    units++;
    sum += b + c;
    if (a === 0xffffffff) this.write(`${sum} ${units}`);
  }
}
class Sink extends WebSocketHandler {
  readDelimiter = null;
  bytes = 0;
  onRead(data) {
    this.bytes += data.length;
    if (data[data.length - 1] === 0xff) this.write(String(this.bytes));
  }
}

app.use(websocketRoute('/echo', Echo));
app.use(websocketRoute('/fanout', Member));
app.use(websocketRoute('/fanout-prepared', Preparing));
app.use(websocketRoute('/idle', Idle));
app.use(websocketRoute('/lines', Lines));
app.use(websocketRoute('/whole', Whole));
app.use(websocketRoute('/records', Records));
app.use(websocketRoute('/sink', Sink));
app.use(websocketRoute('/deflate', Echo, { compress: { threshold: 0 } }));
app.use(
  websocketRoute('/deflate-takeover', Echo, {
    compress: { threshold: 0, serverNoContextTakeover: false, clientNoContextTakeover: false },
  }),
);

announce((await httpServer(app)).listen(0, '127.0.0.1'));
