/**
 * The handshake (RFC 6455 section 4.2.2), the same for both doors:
 *
 *     request ─▶ negotiate ─▶ admission ─▶ origin ─▶ subprotocol ─▶ onHandshake ─▶ 101 ─▶ release ─▶ connection.open
 *                    └────────────┴──────────┴────────────┴──────────────┴─▶ refusal
 *
 * Until the 101 is out nothing has been promised, and the peer may vanish at any point: then nothing happens at all. Each step calls
 * the next one, and waits only where a function of the user's returned a promise: most handshakes are answered at once.
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
import type { Leave } from './admission.js';
import { askHandler, type CheckedHeaders, failure, isAsked } from './ask-handler.js';
import { Deadline, HandshakeAborted } from './deadline.js';
import { draft76Headers } from './draft76.js';
import { answerChallenge } from './draft76-challenge.js';
import { drainingOf, refuseWhileDraining } from './draining.js';
import { type Accepting, negotiate, UPGRADE_REQUIRED } from './negotiate.js';
import { PendingHandshake, serverOf } from './pending-handshakes.js';
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
/** Seconds: it is busy, perhaps, and not gone. */
const RETRY = { 'Retry-After': '5' };

/** Answers the request; `args` are for `onConnect`. Never throws. */
export function accept(
  plan: RoutePlan,
  request: IncomingMessage,
  response: ServerResponse,
  args: readonly unknown[],
): void {
  new Handshake(plan, request, response, args).begin();
}

/** Counts and publishes a refusal, and sends it. */
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
    // A middleware has replaced a method of the response, and that one throws: nothing can be said any more.
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
  /** What the client asks for. */
  private asked!: Accepting;
  private secure: boolean | undefined = undefined;
  private host: string | undefined = undefined;
  private handler!: WebSocketHandler;
  private settings!: ConnectionSettings;
  private negotiated!: Negotiated;
  /** Gives back its place among the connections of the route. */
  private leave: Leave | undefined = undefined;
  /** From when it has its place: what a server that drains waits for. */
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
    // Requests that were pipelined before this one are answered first: Node gives the socket to the response whose turn it is, and
    // says so. However many handshakes stand in line on a connection, at most one of them is at work.
    if (response.socket === null) response.once('socket', () => this.take(this.enter, undefined));
    else this.enter();
  }

  /** A place is taken before the first step that may take time. */
  private enter(): void {
    const { asked, plan, request } = this;
    const { socket } = request;
    // The client has left while middleware was at work: there is nobody to ask about, and nobody to answer.
    if (socket.writable === false) return;
    granted(hindranceOf(request));
    this.leave = granted(plan.admission?.enter(request));
    this.pending = new PendingHandshake(socket, serverOf(request));
    if (asked.version === 0 && pendingSocketOf(socket) === undefined) {
      const text = 'Draft-76 is only spoken through upgradeListener(app).';
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
    // The hook may have taken its time: another request has come, or the server has begun to drain;
    granted(hindranceOf(request));
    // or the peer has gone, or somebody else has answered. Then the socket may bring more requests.
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
    // All of it has been handed to the operating system: `finish` comes before anything else can be read.
    if (pending === undefined && response.writableEnded && socket.writableLength === 0) return;
    pending ??= takeSocket(socket);
    pending.response = response;
    onClose = () => this.over();
    socket.once('close', onClose);
  }

  /** The 101 has left. */
  private open(connection: Connection, pending: PendingSocket | undefined): void {
    const { args, asked, leave, plan, request } = this;
    const { socket } = request;
    const { route, counters } = plan.settings;
    counters.counts.accepted++;
    const { subprotocol } = connection.negotiated;
    publish('accept', () => ({ route, request, connection: connection.runner.hooks, subprotocol }));
    // Its place is taken for as long as the connection is there.
    if (leave !== undefined) socket.once('close', leave);
    // Before the server's listeners leave: somebody must hear of an error at any time, whoever is told of the pause. A socket that
    // only the server's parser has read is not paused: the server would stop the handle, and nothing would start it again.
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

  // How steps are taken, and how it ends without a connection.

  /** What a step throws, or one that it calls, ends the handshake. */
  private take<T>(step: (this: Handshake, value: T) => void, value: T): void {
    try {
      step.call(this, value);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Takes the next step: at once, where there is no promise to wait for. */
  private when<T>(result: T | Promise<T>, step: (this: Handshake, value: T) => void): void {
    if (result instanceof Promise) {
      result.then(
        (value: T) => this.take(step, value),
        (error) => this.fail(error),
      );
    } else step.call(this, result);
  }

  private fail(error: unknown): void {
    // The peer has gone while the handshake waited.
    const isGone = isA(error, HandshakeAborted) && error.why === 'gone';
    const refusal = isGone ? undefined : this.refusalFor(error);
    this.over();
    if (refusal !== undefined) refuseHandshake(this.plan, this.request, this.response, refusal);
  }

  private refusalFor(error: unknown): PlainRefusal {
    if (isA(error, PlainRefusal)) return error;
    if (isA(error, HandshakeAborted)) {
      return refuse(503, 'timeout', 'The server took too long over the handshake: try again later.', RETRY);
    }
    logError(`handshake of ${this.plan.settings.name}`, error, this.plan.settings.log);
    // Its head is written, and its end has failed.
    if (this.response.statusCode === 101) this.request.socket.destroy();
    return failure();
  }

  private over(): void {
    this.leave?.();
    this.pending?.over();
  }
}

const NO_HEADERS: CheckedHeaders = [];

/** Why a handshake cannot be accepted now, whatever it asks for. */
function hindranceOf(request: IncomingMessage): PlainRefusal | undefined {
  if (isPipelined(request)) {
    return refuse(400, 'pipelined', 'Another request was pipelined behind the handshake: wait for its answer.');
  }
  const draining = drainingOf(request);
  return draining && refuseWhileDraining(draining);
}

/** Whether nothing can be read before the event loop goes on. TLS and streams that are no sockets may bring something at any time. */
function isPlainTcp(socket: Socket): boolean {
  return socket instanceof Socket && !isEncrypted(socket);
}

/** Takes a socket from the server's parser, and keeps what it brings. */
function takeSocket(socket: Socket): PendingSocket {
  takeFromParser(socket);
  return new PendingSocket(socket, NOTHING);
}

function open(request: IncomingMessage, connection: Connection, args: readonly unknown[], head: Buffer): void {
  connection.open(args, head);
  // The draining began when the 101 was already on its way.
  drainingOf(request)?.take(connection);
}
