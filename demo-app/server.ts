import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';

const { HOST: host = '127.0.0.1', PORT: port = '8080' } = process.env;

const server = createApp().listen(Number(port), host, (error) => {
  if (error) throw error;
  const { address, family, port: actual } = server.address() as AddressInfo;
  console.log(`http://${family === 'IPv6' ? `[${address}]` : address}:${actual}/`);
});
