/**
 * Detects lost peers for which the network reports nothing, and idle connections:
 *
 *     bytes … silence for pingInterval ─▶ ping ─▶ nothing for pongTimeout ─▶ lost
 *                                            └──▶ any byte ─▶ start again
 *
 * The heartbeat checks a connection several times per interval, so arriving data need only set a flag. Silence is
 * therefore known to within a sixteenth of the interval; pings are early by at most that much, never late. While our
 * own side does not read (a handler is busy), the peer is not to blame for silence: pings are sent, but the connection
 * is not ended.
 */
import { type Timed, wheelOf } from '../../transport/timer-wheel.js';
import type { Transport } from '../../transport/transport.js';

export interface HeartbeatTarget {
  readonly transport: Transport;
  /** The protocol version. Version 0 is draft-76, which has no pings, so that silence proves nothing. */
  readonly version: number;
  /** @returns whether data has arrived since the previous call */
  consumeActivity(): boolean;
  /** Whether we have paused reading for reasons of our own, and so would not notice an answer. */
  readonly isReadPaused: boolean;
  /** The time of the last message. Only read if there is an `idleTimeout`. */
  readonly lastActivity: number;
  sendHeartbeat(): void;
  /** The peer has not answered. */
  onLost(): void;
  onIdle(): void;
}

export interface HeartbeatSettings {
  /** 0 disables pings. */
  readonly pingInterval: number;
  readonly pongTimeout: number;
  readonly idleTimeout: number;
}

/** @returns undefined if there is nothing to watch */
export function watch(watched: HeartbeatTarget, settings: HeartbeatSettings): Heartbeat | undefined {
  if (watched.version === 0 && settings.pingInterval > 0) settings = { ...settings, pingInterval: 0 };
  const { pingInterval, idleTimeout } = settings;
  if (pingInterval === 0 && idleTimeout === 0) return undefined;
  const wheel = wheelOf(watched.transport.socket);
  const liveness = new Heartbeat(watched, settings, wheel.now());
  wheel.add(liveness, Math.min(pingInterval || Infinity, idleTimeout || Infinity) / CHECKS_PER_INTERVAL);
  return liveness;
}

/** How often silence is checked while it lasts. */
const CHECKS_PER_INTERVAL = 16;

export class Heartbeat implements Timed {
  private watched: HeartbeatTarget | undefined;
  private readonly settings: HeartbeatSettings;
  private lookedAt: number;
  /** The start of the current silence, or slightly earlier. */
  private silentSince: number;
  /** The time of the unanswered ping; 0 if there is none. */
  private pingedAt = 0;

  /** The peer's progress in reading our output at the last check, if any output was waiting. */
  private progress: number | undefined = undefined;
  /**
   * The last time it was seen not to be idle. A slow handler counts as activity, and so does a long outgoing message.
   */
  private activeAt = 0;

  constructor(watched: HeartbeatTarget, settings: HeartbeatSettings, now: number) {
    this.watched = watched;
    this.settings = settings;
    this.lookedAt = Math.floor(now);
    this.silentSince = this.lookedAt;
  }

  /** The wheel still ticks once more, so drop the reference to the connection now. */
  stop(): void {
    this.watched = undefined;
  }

  onTick(exactNow: number): number {
    const { watched } = this;
    if (watched === undefined) return 0;
    // Whole milliseconds, because each fraction would be an object on the heap.
    const now = Math.ceil(exactNow);
    const hasTaken = this.hasTaken(watched);
    const next = Math.min(this.untilPing(watched, now, hasTaken), this.untilIdle(watched, now, hasTaken));
    this.lookedAt = now;
    return Math.max(1, next);
  }

  private untilPing(watched: HeartbeatTarget, now: number, hasTaken: boolean): number {
    const { pingInterval, pongTimeout } = this.settings;
    if (pingInterval === 0) return Infinity;
    // Must be called on each tick, because it resets the flag.
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
   * While we do not read, no answer is expected. A ping is still sent in each interval: it keeps proxies from closing
   * the connection of a slow handler, and the host of a dead peer answers it with a reset, which is noticed.
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
   * Whether the peer has accepted some of the waiting output, in which case it may just be too busy reading to answer.
   * If no output was waiting, the kernel has room, and accepts data for a dead peer as well.
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
