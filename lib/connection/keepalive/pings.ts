/**
 * Tracks unanswered pings. A pong answers the ping whose payload it carries, and with it every older one (RFC 6455
 * section 5.5.3: an endpoint "MAY elect to send a Pong frame for only the most recently processed Ping frame"). A pong
 * that answers none of them is unsolicited: "a response to an unsolicited Pong frame is not expected".
 */
import { randomBytes } from 'node:crypto';
import { ownCopy } from '../../memory/bulk-allocation.js';
import type { Clock } from '../../transport/clock.js';

/** A peer that never answers costs no more than this many entries. */
const MAX_OUTSTANDING = 64;

interface Ping {
  readonly payload: Buffer;
  /** The time at which a ping without data was sent, in milliseconds. */
  readonly sentAt: number | undefined;
}

export class Pings {
  private readonly outstanding: Ping[] = [];
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** @returns the payload to send: `data`, or a random one, so that the peer cannot answer in advance */
  sent(data: Buffer | undefined): Buffer {
    const payload = data ?? randomBytes(8);
    if (this.outstanding.length === MAX_OUTSTANDING) this.outstanding.shift();
    this.outstanding.push({ payload, sentAt: data === undefined ? this.clock.now() : undefined });
    return payload;
  }

  /** @returns the round-trip time in milliseconds, the data of the ping, or undefined for an unsolicited pong */
  answered(payload: Buffer): number | Buffer | undefined {
    const index = this.outstanding.findIndex((ping) => ping.payload.equals(payload));
    const ping = this.outstanding[index];
    if (ping === undefined) return undefined;
    this.outstanding.splice(0, index + 1);
    if (ping.sentAt !== undefined) return this.clock.now() - ping.sentAt;
    return ownCopy(ping.payload, 0, ping.payload.length);
  }
}
