/** `ws` behind Express, by way of `express-ws`. */
import { createRequire } from 'node:module';
import { announce } from './announce.mjs';

const require = createRequire(new URL('../peers/package.json', import.meta.url));
const express = require('express');
const expressWs = require('express-ws');

const app = express();
expressWs(app);
app.ws('/echo', (socket) => socket.on('message', (data) => socket.send(data)));
app.ws('/idle', (socket) => socket.on('message', (data) => socket.send(data)));
announce(app.listen(0, '127.0.0.1'));
