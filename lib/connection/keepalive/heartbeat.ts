/**
 * Finds out that a peer is gone whose network says nothing, and that a connection is idle:
 *
 *     bytes … silence for pingInterval ─▶ ping ─▶ nothing for pongTimeout ─▶ lost
 *                                            └──▶ any byte ─▶ from the beginning
 *
 * The connection is looked at several times per interval and asked whether anything has come since; that costs what arrives
 * no more than a flag, which is why silence is known to within a sixteenth of the interval: pings are early by that much, not
 * late. While our own side does not read (a handler is busy), silence is not the peer's: pings go out, and nobody is given up.
 */
import { type Timed, wheelOf } from '../../transport/timer-wheel.js';
import type { Transport } from '../../transport/transport.js';

export interface HeartbeatTarget {
  readonly transport: Transport;
  /** Of the protocol. 0 is draft-76, which has no pings: silence proves nothing there, and nobody can ask. */
  readonly version: number;
  /** Whether anything has come since this was asked last. */
  consumeActivity(): boolean;
  /** Whether we do not read for reasons of our own: an answer would not be heard. */
  readonly isReadPaused: boolean;
  /** When the last message passed; only asked where there is an `idleTimeout`. */
  readonly lastActivity: number;
  sendHeartbeat(): void;
  /** The peer has not answered. */
  onLost(): void;
  onIdle(): void;
}

export interface HeartbeatSettings {
  /** 0: never. */
  readonly pingInterval: number;
  readonly pongTimeout: number;
  readonly idleTimeout: number;
}

/** @returns undefined where there is nothing to watch */
export function watch(watched: HeartbeatTarget, settings: HeartbeatSettings): Heartbeat | undefined {
  if (watched.version === 0 && settings.pingInterval > 0) settings = { ...settings, pingInterval: 0 };
  const { pingInterval, idleTimeout } = settings;
  if (pingInterval === 0 && idleTimeout === 0) return undefined;
  const wheel = wheelOf(watched.transport.socket);
  const liveness = new Heartbeat(watched, settings, wheel.now());
  wheel.add(liveness, Math.min(pingInterval || Infinity, idleTimeout || Infinity) / CHECKS_PER_INTERVAL);
  return liveness;
}

/** How often silence is looked at while it lasts. */
const CHECKS_PER_INTERVAL = 16;

export class Heartbeat implements Timed {
  private watched: HeartbeatTarget | undefined;
  private readonly settings: HeartbeatSettings;
  private lookedAt: number;
  /** Since when nothing has come, or a little before. */
  private silentSince: number;
  /** When the ping was sent that waits for an answer; 0: none does. */
  private pingedAt = 0;

  /** How far the peer had come with what it is sent, if something waited for it when it was looked at last. */
  private progress: number | undefined = undefined;
  /** When it was last seen not to be idle: a handler that took its time counts, and so does a long message on its way out. */
  private activeAt = 0;

  constructor(watched: HeartbeatTarget, settings: HeartbeatSettings, now: number) {
    this.watched = watched;
    this.settings = settings;
    this.lookedAt = Math.floor(now);
    this.silentSince = this.lookedAt;
  }

  /** The wheel comes by once more; what was watched need not wait for that to be forgotten. */
  stop(): void {
    this.watched = undefined;
  }

  onTick(exactNow: number): number {
    const { watched } = this;
    if (watched === undefined) return 0;
    // Whole milliseconds: fractions would each be an object on the heap.
    const now = Math.ceil(exactNow);
    const hasTaken = this.hasTaken(watched);
    const next = Math.min(this.untilPing(watched, now, hasTaken), this.untilIdle(watched, now, hasTaken));
    this.lookedAt = now;
    return Math.max(1, next);
  }

  private untilPing(watched: HeartbeatTarget, now: number, hasTaken: boolean): number {
    const { pingInterval, pongTimeout } = this.settings;
    if (pingInterval === 0) return Infinity;
    // Asked each time: it remembers what it has been asked.
    const hasHeard = watched.consumeActivity();
    if (hasHeard || hasTaken) {
      this.silentSince = this.lookedAt;
      this.pingedAt = 0;
    }
    if (watched.isReadPaused) return this.untilSign(watched, now);
    if (this.pingedAt === 0) {
      const left = this.silentSince + pingInterval - now;
      if (left > 0) return Math.min(left, pingInterval / CHECKS_PER_INTERVAL);
      this.pingedAt = now;
      watched.sendHeartbeat();
    }
    const left = this.pingedAt + pongTimeout - now;
    if (left <= 0) watched.onLost();
    return Math.min(left, pingInterval / CHECKS_PER_INTERVAL);
  }

  /**
   * While we do not read, no answer is expected. A ping is sent all the same, each interval: proxies hear it, and do not give up
   * on a handler that takes its time; and a peer that has gone answers it with a reset, which is noticed.
   */
  private untilSign(watched: HeartbeatTarget, now: number): number {
    const { pingInterval } = this.settings;
    this.pingedAt = 0;
    if (this.silentSince + pingInterval <= now) {
      this.silentSince = now;
      watched.sendHeartbeat();
    }
    return Math.min(this.silentSince + pingInterval - now, pingInterval / CHECKS_PER_INTERVAL);
  }

  /**
   * Whether a peer for which something waited has taken some of it: it may be too busy reading to say anything. Where nothing
   * waited, the kernel has room, and takes what is written to a peer that is dead as well.
   */
  private hasTaken({ transport }: HeartbeatTarget): boolean {
    const before = this.progress;
    const waits = transport.writableLength > 0;
    if (before === undefined && !waits) return false;
    const after = transport.transmittedBytes;
    this.progress = waits ? after : undefined;
    return before !== undefined && before !== after;
  }

  private untilIdle(watched: HeartbeatTarget, now: number, hasTaken: boolean): number {
    const { idleTimeout } = this.settings;
    if (idleTimeout === 0) return Infinity;
    this.activeAt = hasTaken ? now : Math.max(this.activeAt, Math.ceil(watched.lastActivity));
    const left = this.activeAt + idleTimeout - now;
    if (left <= 0) watched.onIdle();
    return Math.min(left, idleTimeout / CHECKS_PER_INTERVAL);
  }
}
