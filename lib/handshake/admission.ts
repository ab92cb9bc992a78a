/** How many connections a route takes: in all, and per key. A handshake that is going on counts as one. */
import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import { invalidReturnValue } from '../errors.js';
import type { ConnectionKey } from '../handler/options.js';
import { abandon } from '../thenables.js';
import { type PlainRefusal, refuse } from './refusal.js';

export interface AdmissionOptions {
  readonly maxConnections: number;
  readonly maxConnectionsPerKey: number;
  readonly keyOf: ConnectionKey;
}

/** Gives the place back; more than once is once. */
export type Leave = () => void;

/** Undefined where there is no limit. */
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

  /** Takes a place, or says why there is none. Throws what `keyOf` throws. */
  enter(request: IncomingMessage): Leave | PlainRefusal {
    const { maxConnections, maxConnectionsPerKey } = this.options;
    if (this.inside >= maxConnections) {
      return refuse(503, 'full', 'As many connections as this route takes are open: try again later.', RETRY);
    }
    const key = this.keyOf(request);
    const sameKey = key === undefined ? 0 : (this.byKey.get(key) ?? 0);
    if (sameKey >= maxConnectionsPerKey) {
      return refuse(429, 'full-for-key', 'As many connections as one client may have are open: close one.', RETRY);
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
      throw invalidReturnValue('the result of keyOf', key, 'it must be a string, or undefined for what is not counted');
    }
    return key;
  }
}

/** Seconds: how long a browser tab that was closed may still count. */
const RETRY = { 'Retry-After': '5' };

/** Express's `request.ip`, which knows whom to trust; without Express the socket's. */
function addressOf(request: IncomingMessage): string | undefined {
  const ip: unknown = Reflect.get(request, 'ip');
  return typeof ip === 'string' ? ip : request.socket.remoteAddress;
}

/** What one subscriber has: an IPv4 address, or the first 64 bits of an IPv6 address. */
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
