/** Limits the connections of a route: in total and per key. Pending handshakes count. */
import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import { invalidReturnValue } from '../errors.js';
import type { ConnectionKey } from '../handler/options/options.js';
import { abandon } from '../thenables.js';
import { type PlainRefusal, refuse } from './refusal.js';

export interface AdmissionOptions {
  readonly maxConnections: number;
  readonly maxConnectionsPerKey: number;
  readonly keyOf: ConnectionKey;
}

/** Releases the place; idempotent. */
export type Leave = () => void;

/** Undefined if there is no limit. */
export function compileAdmission(options: AdmissionOptions): Admission | undefined {
  if (options.maxConnections === Infinity && options.maxConnectionsPerKey === Infinity) return undefined;
  return new Admission(options);
}

export class Admission {
  private inside = 0;
  private readonly byKey = new Map<string, number>();
  private readonly options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.options = options;
  }

  /** Takes a place, or returns the refusal. Throws errors of `keyOf`. */
  enter(request: IncomingMessage): Leave | PlainRefusal {
    const { maxConnections, maxConnectionsPerKey } = this.options;
    if (this.inside >= maxConnections) {
      return refuse(503, 'full', 'This route has reached its maximum number of connections: try again later.', RETRY);
    }
    const key = this.keyOf(request);
    const sameKey = key === undefined ? 0 : (this.byKey.get(key) ?? 0);
    if (sameKey >= maxConnectionsPerKey) {
      return refuse(
        429,
        'full-for-key',
        'This client has reached its maximum number of connections: close one.',
        RETRY,
      );
    }
    this.inside++;
    if (key !== undefined) this.byKey.set(key, sameKey + 1);
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.leave(key);
    };
  }

  private leave(key: string | undefined): void {
    this.inside--;
    if (key === undefined) return;
    const left = (this.byKey.get(key) ?? 0) - 1;
    if (left > 0) this.byKey.set(key, left);
    else this.byKey.delete(key);
  }

  private keyOf(request: IncomingMessage): string | undefined {
    const { keyOf, maxConnectionsPerKey } = this.options;
    if (maxConnectionsPerKey === Infinity) return undefined;
    if (keyOf === 'ip') return networkOf(addressOf(request));
    const key: unknown = keyOf(request);
    if (key !== undefined && typeof key !== 'string') {
      abandon(key);
      throw invalidReturnValue(
        'the result of keyOf',
        key,
        'it must be a string, or undefined not to count the request',
      );
    }
    return key;
  }
}

/** In seconds: a closed browser tab may still count for that long. */
const RETRY = { 'Retry-After': '5' };

/** Express's `request.ip`, which respects `trust proxy`; without Express, the socket's address. */
function addressOf(request: IncomingMessage): string | undefined {
  const ip: unknown = Reflect.get(request, 'ip');
  return typeof ip === 'string' ? ip : request.socket.remoteAddress;
}

/** The addresses of one subscriber: an IPv4 address, or the first 64 bits of an IPv6 address. */
export function networkOf(address: string | undefined): string | undefined {
  if (address === undefined || !ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv6)
    return `${parsed.parts
      .slice(0, 4)
      .map((part) => part.toString(16))
      .join(':')}::/64`;
  return parsed.toString();
}
