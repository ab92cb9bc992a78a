/** What a contestant needs to serve TLS, which it does when its first argument is `tls`. */
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';

export const isSecure = process.argv[2] === 'tls';

/** A key and a certificate of its own. Only who needs one loads what makes it, which is not small. */
export async function certificate() {
  const { generate } = await import('selfsigned');
  const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }]);
  return { key, cert };
}

/** A server of `node:http`, or of `node:https`. */
export async function httpServer(...listeners) {
  return isSecure ? createSecureServer(await certificate(), ...listeners) : createServer(...listeners);
}
