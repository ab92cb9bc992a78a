/**
 * The handshake (RFC 6455 section 4.2.2), the same from the `request` and the `upgrade` event:
 *
 *     request ─▶ negotiate ─▶ admission ─▶ origin ─▶ subprotocol ─▶ onHandshake ─▶ 101 ─▶ release ─▶ connection.open
 *                    └────────────┴──────────┴────────────┴──────────────┴─▶ refusal
 *
 * The peer may disappear at any point before the 101 is sent; the handshake then ends without any effect. Each step
 * calls the next one and waits only if a user function returned a promise, so most handshakes are answered
 * synchronously.
 *
 * This file has more than 300 lines because all steps are here, in their order, with every way out of each.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Connection } from '../connection/connection.js';
import type { ConnectionSettings } from '../connection/hooks.js';
import type { Negotiated } from '../connection/negotiated.js';
import { isA } from '../errors.js';
import { bind, bindPending, type WebSocketHandler } from '../handler/handler.js';
import { PendingConnection } from '../handler/pending-connection.js';
import { logError } from '../log.js';
import { publish } from '../telemetry/channels.js';
import { addressOf } from '../transport/addresses.js';
import { serverOf } from '../transport/server-of.js';
import type { Leave } from './admission.js';
import { askHandler, type CheckedHeaders, failure, isAsked } from './ask-handler.js';
import { Deadline, HandshakeAborted } from './deadline.js';
import { draft76Headers } from './draft76/draft76.js';
import { answerChallenge } from './draft76/draft76-challenge.js';
import { drainingOf, refuseWhileDraining } from './draining.js';
import { type Accepting, negotiate, UPGRADE_REQUIRED } from './negotiate.js';
import { PendingHandshake } from './pending-handshakes.js';
import { granted, PlainRefusal, refuse } from './refusal.js';
import { agreeOnDeflate } from './request/deflate-offers.js';
import { originRefusalText } from './request/origins.js';
import { hostOf, isEncrypted, isSecure, peerOf } from './request/proxy.js';
import { sendRefusal, sendSwitchingProtocols, switchingHeaders } from './response.js';
import { type RoutePlan, settingsFor } from './route-plan.js';
import { PendingSocket, pendingSocketOf } from './socket/pending-socket.js';
import { isPipelined, isReleasable, releaseFromServer, takeFromParser } from './socket/release.js';
import { refuseUnknownRuntime } from './socket/runtime.js';

const NOTHING = Buffer.alloc(0);
/** In seconds: the server is probably only busy. */
const RETRY = { 'Retry-After': '5' };

/** Answers the request; `args` are passed to `onConnect`. Never throws. */
export function accept(
  plan: RoutePlan,
  request: IncomingMessage,
  response: ServerResponse,
  args: readonly unknown[],
): void {
  new Handshake(plan, request, response, args).begin();
}

/** Counts, publishes and sends a refusal. */
export function refuseHandshake(
  { settings: { name, route, counters, log } }: RoutePlan,
  request: IncomingMessage,
  response: ServerResponse,
  refusal: PlainRefusal,
): void {
  const { status, reason } = refusal;
  counters.count('refused', reason);
  publish('refuse', () => ({ route, request, status, reason }));
  try {
    sendRefusal(response, refusal);
  } catch (error) {
    // Middleware replaced a method of the response with one that throws: no response can be sent.
    logError(`refusal of ${name}`, error, log);
    request.socket.destroy();
  }
}

class Handshake {
  private readonly plan: RoutePlan;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly args: readonly unknown[];
  private readonly deadline: Deadline;
  /** What the client requested. */
  private asked!: Accepting;
  private secure: boolean | undefined = undefined;
  private host: string | undefined = undefined;
  private handler!: WebSocketHandler;
  private settings!: ConnectionSettings;
  private negotiated!: Negotiated;
  /** Releases its place among the connections of the route. */
  private leave: Leave | undefined = undefined;
  /** Set once it has a place; a draining server waits for it. */
  private pending: PendingHandshake | undefined = undefined;

  constructor(plan: RoutePlan, request: IncomingMessage, response: ServerResponse, args: readonly unknown[]) {
    this.plan = plan;
    this.request = request;
    this.response = response;
    this.args = args;
    this.deadline = new Deadline(request.socket, plan.handshakeTimeout);
  }

  begin(): void {
    this.take(this.negotiate, undefined);
  }

  // The steps, in order.

  private negotiate(): void {
    const { plan, request, response } = this;
    this.asked = granted(negotiate(request, plan));
    if (pendingSocketOf(request.socket) === undefined && !isReleasable(request.socket))
      throw refuseUnknownRuntime(plan.settings.log);
    // Requests pipelined before this one are answered first: Node then assigns the socket to the next response, which
    // emits `socket`. So at most one handshake per socket is in progress, however many are pipelined.
    if (response.socket === null) response.once('socket', () => this.take(this.enter, undefined));
    else this.enter();
  }

  /** Takes a place before the first step that may be async. */
  private enter(): void {
    const { asked, plan, request } = this;
    const { socket } = request;
    // The client disconnected while middleware was running.
    if (socket.writable === false) return;
    granted(hindranceOf(request));
    this.leave = granted(plan.admission?.enter(request));
    this.pending = new PendingHandshake(socket, serverOf(socket));
    if (asked.version === 0 && pendingSocketOf(socket) === undefined) {
      const text = 'Draft-76 is supported only through upgradeListener(app).';
      throw refuse(426, 'version', text, UPGRADE_REQUIRED);
    }
    this.secure = isSecure(request);
    this.host = hostOf(request);
    const context = { secure: this.secure !== false, host: this.host, request };
    this.when(this.deadline.meet(plan.isOriginAllowed(asked.origin, context)), this.ask);
  }

  private ask(isOriginAllowed: boolean): void {
    const { asked, plan, request } = this;
    if (!isOriginAllowed) throw refuse(403, 'origin', originRefusalText(asked.origin ?? '', this.host));
    const handler = new plan.Handler();
    this.handler = handler;
    this.settings = settingsFor(plan, handler);
    const deflate = plan.compress && agreeOnDeflate(asked.extensions, plan.compress);
    this.negotiated = Object.freeze({
      version: asked.version,
      isSecure: this.secure === true,
      subprotocol: plan.chooseSubprotocol(asked.subprotocols, request) ?? '',
      extensions: deflate?.header ?? '',
      deflate: plan.compress && deflate && { agreement: deflate.agreement, settings: plan.compress },
      localAddress: addressOf(request.socket, 'localAddress'),
      remoteAddress: peerOf(request),
    });
    if (isAsked(handler)) {
      bindPending(handler, new PendingConnection(this.settings, this.negotiated));
      this.when(askHandler(handler, request, asked.subprotocols, plan.settings, this.deadline), this.answer);
    } else this.answer(NO_HEADERS);
  }

  private answer(verdict: CheckedHeaders | PlainRefusal): void {
    const { handler, request, response } = this;
    const { socket } = request;
    const own = granted(verdict);
    // While the hook ran, another request may have arrived, or the server may have begun to drain,
    granted(hindranceOf(request));
    // or the peer disconnected, or other code sent a response, after which the socket may carry more requests.
    if (socket.destroyed || response.headersSent || response.writableEnded) {
      this.over();
      return;
    }
    const chosen = own.length > 0 && own.find(([name]) => name.toLowerCase() === 'sec-websocket-protocol')?.[1];
    if (typeof chosen === 'string') this.negotiated = Object.freeze({ ...this.negotiated, subprotocol: chosen });
    const connection = new Connection(socket, handler, this.settings, this.negotiated);
    bind(handler, connection);
    this.switchProtocols(connection, own);
  }

  private switchProtocols(connection: Connection, own: CheckedHeaders): void {
    const { request, response } = this;
    const { socket } = request;
    let pending = pendingSocketOf(socket) ?? (isPlainTcp(socket) ? undefined : takeSocket(socket));
    if (pending !== undefined) pending.response = response;
    let onClose: (() => void) | undefined;
    sendSwitchingProtocols(response, own, this.protocolHeaders(), () => {
      if (onClose !== undefined) socket.removeListener('close', onClose);
      // Gone: then the server may have the socket back, its error with it.
      if (socket.destroyed) this.over();
      else this.open(connection, pending);
    });
    // The 101 is already with the operating system: `finish` comes before anything else can be read.
    if (pending === undefined && response.writableEnded && socket.writableLength === 0) return;
    pending ??= takeSocket(socket);
    pending.response = response;
    onClose = () => this.over();
    socket.once('close', onClose);
  }

  /** The 101 has been sent. */
  private open(connection: Connection, pending: PendingSocket | undefined): void {
    const { args, asked, leave, plan, request } = this;
    const { socket } = request;
    const { route, counters } = plan.settings;
    counters.counts.accepted++;
    const { subprotocol } = connection.negotiated;
    publish('accept', () => ({ route, request, connection: connection.runner.hooks, subprotocol }));
    // The connection keeps its place until it closes.
    if (leave !== undefined) socket.once('close', leave);
    // Pauses before the server's listeners are removed, since one must handle errors at all times and one must hear of
    // the pause. A socket read only by the server's parser is not paused: the server would stop the handle, and
    // nothing would restart it.
    if (pending !== undefined) socket.pause();
    const head = pending?.release() ?? NOTHING;
    releaseFromServer(socket);
    if (asked.version !== 0) open(request, connection, args, head);
    else {
      answerChallenge(request, head, connection.settings.closeTimeout)
        .then((rest) => {
          if (rest !== undefined) open(request, connection, args, rest);
        })
        .catch(() => socket.destroy());
    }
    this.pending?.over();
  }

  private protocolHeaders(): Record<string, string> {
    const { asked, host, negotiated, request } = this;
    const { extensions, isSecure: secure, subprotocol } = negotiated;
    if (asked.version !== 0) return switchingHeaders(asked.accept, subprotocol, extensions);
    return draft76Headers({
      origin: asked.origin ?? '',
      secure,
      host: host ?? '',
      url: request.url ?? '/',
      subprotocol,
    });
  }

  // Running the steps, and ending without a connection.

  /** Errors thrown by a step, or by the steps it calls, end the handshake. */
  private take<T>(step: (this: Handshake, value: T) => void, value: T): void {
    try {
      step.call(this, value);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Runs the next step, synchronously unless there is a promise to wait for. */
  private when<T>(result: T | Promise<T>, step: (this: Handshake, value: T) => void): void {
    if (result instanceof Promise) {
      result.then(
        (value: T) => this.take(step, value),
        (error) => this.fail(error),
      );
    } else step.call(this, result);
  }

  private fail(error: unknown): void {
    // The peer disconnected while the handshake waited.
    const isGone = isA(error, HandshakeAborted) && error.why === 'gone';
    const refusal = isGone ? undefined : this.refusalFor(error);
    this.over();
    if (refusal !== undefined) refuseHandshake(this.plan, this.request, this.response, refusal);
  }

  private refusalFor(error: unknown): PlainRefusal {
    if (isA(error, PlainRefusal)) return error;
    if (isA(error, HandshakeAborted)) {
      return refuse(503, 'timeout', 'The handshake timed out on the server: try again later.', RETRY);
    }
    logError(`handshake of ${this.plan.settings.name}`, error, this.plan.settings.log);
    // The head of the 101 was written, but ending the response failed.
    if (this.response.statusCode === 101) this.request.socket.destroy();
    return failure();
  }

  private over(): void {
    this.leave?.();
    this.pending?.over();
  }
}

const NO_HEADERS: CheckedHeaders = [];

/** A reason to refuse any handshake at this moment. */
function hindranceOf(request: IncomingMessage): PlainRefusal | undefined {
  if (isPipelined(request)) {
    return refuse(400, 'pipelined', 'Another request was pipelined behind the handshake: wait for its answer.');
  }
  const draining = drainingOf(request);
  return draining && refuseWhileDraining(draining);
}

/** Whether nothing can arrive before the event loop continues. TLS and other streams may emit data at any time. */
function isPlainTcp(socket: Socket): boolean {
  return socket instanceof Socket && !isEncrypted(socket);
}

/** Detaches a socket from the server's parser, and buffers its data. */
function takeSocket(socket: Socket): PendingSocket {
  takeFromParser(socket);
  return new PendingSocket(socket, NOTHING);
}

function open(request: IncomingMessage, connection: Connection, args: readonly unknown[], head: Buffer): void {
  connection.open(args, head);
  // Draining began while the 101 was being sent.
  drainingOf(request)?.take(connection);
}
