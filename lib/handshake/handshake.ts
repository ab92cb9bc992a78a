/**
 * The handshake (RFC 6455 section 4.2.2), the same for both doors:
 *
 *     request ─▶ negotiate ─▶ admission ─▶ origin ─▶ subprotocol ─▶ onHandshake ─▶ 101 ─▶ release ─▶ connection.open
 *                    └────────────┴──────────┴────────────┴──────────────┴─▶ refusal
 *
 * Until the 101 is out nothing has been promised, and the peer may vanish at any point: then nothing happens at all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Connection } from '../connection/connection.js';
import { reportSecond, tellError } from '../connection/hook-errors.js';
import type { Negotiated } from '../connection/negotiated.js';
import { isA } from '../errors.js';
import { bind, bindPending, WebSocketHandler } from '../handler/handler.js';
import type { ResponseHeaders } from '../handler/options.js';
import { PendingConnection } from '../handler/pending-connection.js';
import { logError } from '../log.js';
import { publish } from '../telemetry/channels.js';
import { isThenable, whenSettled } from '../thenables.js';
import { addressOf } from '../transport/addresses.js';
import { Deadline, HandshakeAborted } from './deadline.js';
import { challengeResponse, draft76Headers } from './draft76.js';
import { drainingOf, refuseWhileDraining } from './draining.js';
import { type Accepting, negotiate, UPGRADE_REQUIRED } from './negotiate.js';
import { PendingHandshake, serverOf } from './pending-handshakes.js';
import { type PlainRefusal, refuse, toPlainRefusal } from './refusal.js';
import { agreeOnDeflate } from './request/deflate-offers.js';
import { originRefusalText } from './request/origins.js';
import { hostOf, isSecure } from './request/proxy.js';
import { sendRefusal, sendSwitchingProtocols } from './response.js';
import { checkResponseHeaders } from './response-headers.js';
import { type RoutePlan, settingsFor } from './route-plan.js';
import { PendingSocket, pendingSocketOf } from './socket/pending-socket.js';
import { isPipelined, isReleasable, releaseFromServer, takeFromParser } from './socket/release.js';
import { refuseUnknownRuntime } from './socket/runtime.js';
import { takeBytes } from './socket/take-bytes.js';

const NOTHING = Buffer.alloc(0);
/** Seconds: it is busy, perhaps, and not gone. */
const RETRY = { 'Retry-After': '5' };

/** Answers the request; `args` are for `onConnect`. Never rejected. */
export async function accept(
  plan: RoutePlan,
  request: IncomingMessage,
  response: ServerResponse,
  args: readonly unknown[],
): Promise<void> {
  let refusal: PlainRefusal | undefined;
  try {
    refusal = await new Handshake(plan, request, response).run(args);
  } catch (error) {
    logError(`handshake of ${plan.settings.name}`, error);
    // Its head is written, and its end has failed.
    if (response.statusCode === 101) request.socket.destroy();
    refusal = refuse(500, 'error', 'The handshake failed.');
  }
  if (refusal !== undefined) refuseHandshake(plan, request, response, refusal);
}

/** Counts and publishes a refusal, and sends it. */
export function refuseHandshake(
  { settings: { name, route, counters } }: RoutePlan,
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
    logError(`refusal of ${name}`, error);
    request.socket.destroy();
  }
}

type CheckedHeaders = ReturnType<typeof checkResponseHeaders>;

class Handshake {
  private readonly plan: RoutePlan;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  /** The 101 is on its way. */
  private isSwitching = false;
  private atWork: PendingHandshake | undefined = undefined;

  constructor(plan: RoutePlan, request: IncomingMessage, response: ServerResponse) {
    this.plan = plan;
    this.request = request;
    this.response = response;
  }

  async run(args: readonly unknown[]): Promise<PlainRefusal | undefined> {
    const { plan, request } = this;
    const asked = negotiate(request, { allowOldHandshake: plan.allowOldHandshake });
    if ('status' in asked) return asked;
    if (pendingSocketOf(request.socket) === undefined && !isReleasable(request.socket)) return refuseUnknownRuntime();
    const turn = whenNext(this.response);
    if (turn !== undefined) await turn;
    // The client has left while middleware was at work: there is nobody to ask about, and nobody to answer.
    if (request.socket.writable === false) return undefined;
    if (isPipelined(request)) return refusePipelined();
    const draining = drainingOf(request);
    if (draining !== undefined) return refuseWhileDraining(draining);
    const leave = plan.admission?.enter(request);
    if (leave !== undefined && typeof leave !== 'function') return leave;
    const { socket } = request;
    this.atWork = new PendingHandshake(socket, serverOf(request));
    let refusal: PlainRefusal | undefined;
    try {
      refusal = await this.answer(asked, args);
    } catch (error) {
      if (!isA(error, HandshakeAborted)) throw error;
      if (error.why === 'timeout')
        refusal = refuse(503, 'timeout', 'The server took too long over the handshake: try again later.', RETRY);
    } finally {
      // Where somebody else has answered there is no connection, and the socket may bring more requests.
      if (this.isSwitching && !socket.destroyed) {
        // Its place is taken for as long as the connection is there.
        if (leave !== undefined) socket.once('close', leave);
      } else {
        leave?.();
        this.atWork.over();
      }
    }
    return refusal;
  }

  private async answer(asked: Accepting, args: readonly unknown[]): Promise<PlainRefusal | undefined> {
    const { plan, request } = this;
    const deadline = new Deadline(request.socket, plan.handshakeTimeout);
    if (asked.version === 0 && pendingSocketOf(request.socket) === undefined) {
      return refuse(426, 'version', 'Draft-76 is only spoken through upgradeListener(app).', UPGRADE_REQUIRED);
    }
    const secure = isSecure(request);
    const host = hostOf(request);
    if (!(await deadline.meet(plan.isOriginAllowed(asked.origin, { secure: secure !== false, host, request })))) {
      return refuse(403, 'origin', originRefusalText(asked.origin ?? '', host));
    }
    const handler = new plan.Handler();
    const settings = settingsFor(plan, handler);
    const deflate = plan.compress && agreeOnDeflate(asked.extensions, plan.compress);
    const offered: Negotiated = Object.freeze({
      version: asked.version,
      isSecure: secure === true,
      subprotocol: plan.chooseSubprotocol(asked.subprotocols, request) ?? '',
      extensions: deflate?.header ?? '',
      deflate: plan.compress && deflate && { agreement: deflate.agreement, settings: plan.compress },
      localAddress: addressOf(request.socket, 'localAddress'),
      remoteAddress: addressOf(request.socket, 'remoteAddress'),
    });
    bindPending(handler, new PendingConnection(settings, offered));

    const own = isAsked(handler) ? await askHandler(handler, request, asked.subprotocols, plan, deadline) : [];
    if (!Array.isArray(own)) return own;
    if (isPipelined(request)) return refusePipelined();
    // The server may have begun to drain in the meantime, too.
    const draining = drainingOf(request);
    if (draining !== undefined) return refuseWhileDraining(draining);
    const chosen = own.length > 0 && own.find(([name]) => name.toLowerCase() === 'sec-websocket-protocol')?.[1];
    const negotiated = typeof chosen === 'string' ? Object.freeze({ ...offered, subprotocol: chosen }) : offered;
    // The hook may have taken its time: the peer has gone, or somebody else has answered.
    if (request.socket.destroyed || this.response.headersSent || this.response.writableEnded) return undefined;
    const connection = new Connection(request.socket, handler, settings, negotiated);
    bind(handler, connection);
    this.switchProtocols(asked, connection, host, own, args);
    return undefined;
  }

  private switchProtocols(
    asked: Accepting,
    connection: Connection,
    host: string | undefined,
    own: CheckedHeaders,
    args: readonly unknown[],
  ): void {
    const { request, response } = this;
    const { socket } = request;
    this.isSwitching = true;
    this.atWork?.switching();
    const { runner, negotiated } = connection;
    const { subprotocol, extensions, isSecure: secure } = negotiated;
    const { route, counters } = this.plan.settings;
    const protocolHeaders =
      asked.version === 0
        ? draft76Headers({ origin: asked.origin ?? '', secure, host: host ?? '', url: request.url ?? '/', subprotocol })
        : switchingHeaders(asked.accept, subprotocol, extensions);
    let pending = pendingSocketOf(socket);
    if (pending === undefined) {
      takeFromParser(socket);
      pending = new PendingSocket(socket, NOTHING);
    }
    pending.response = response;
    sendSwitchingProtocols(response, own, protocolHeaders, () => {
      // Gone: then the server may have the socket back, its error with it.
      if (socket.destroyed) return;
      counters.counts.accepted++;
      publish('accept', () => ({ route, request, connection: runner.hooks, subprotocol }));
      // Before the server's listeners leave: somebody must hear of an error at any time, whoever is told of the pause.
      const head = pending.release();
      releaseFromServer(socket);
      if (asked.version === 0) answerChallenge(request, head, connection, args).catch(() => socket.destroy());
      else open(request, connection, args, head);
      this.atWork?.over();
    });
  }
}

/**
 * Requests that were pipelined before this one are answered first. However many handshakes stand in line on a connection, at
 * most one of them is at work.
 *
 * @returns undefined where it is this one's turn
 */
function whenNext(response: ServerResponse): Promise<void> | undefined {
  // Node gives the socket to the response whose turn it is, and says so.
  if (response.socket !== null) return undefined;
  return new Promise((resolve) => response.once('socket', () => resolve()));
}

function refusePipelined(): PlainRefusal {
  return refuse(400, 'pipelined', 'Another request was pipelined behind the handshake: wait for its answer.');
}

function switchingHeaders(accept: string, subprotocol: string, extensions: string): Record<string, string> {
  const headers: Record<string, string> = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Accept': accept,
  };
  if (subprotocol !== '') headers['Sec-WebSocket-Protocol'] = subprotocol;
  if (extensions !== '') headers['Sec-WebSocket-Extensions'] = extensions;
  return headers;
}

/** Draft-76 wants an answer to its challenge behind the headers, made of eight bytes that follow the request's. */
async function answerChallenge(
  request: IncomingMessage,
  head: Buffer,
  connection: Connection,
  args: readonly unknown[],
): Promise<void> {
  const { socket } = request;
  const taken = await takeBytes(socket, head, 8, connection.settings.closeTimeout);
  const key1 = request.headers['sec-websocket-key1'];
  const key2 = request.headers['sec-websocket-key2'];
  const response =
    taken && typeof key1 === 'string' && typeof key2 === 'string'
      ? challengeResponse(key1, key2, taken.bytes)
      : undefined;
  if (taken === undefined || response === undefined || socket.destroyed) {
    socket.destroy();
    return;
  }
  socket.write(response);
  open(request, connection, args, taken.rest);
}

function open(request: IncomingMessage, connection: Connection, args: readonly unknown[], head: Buffer): void {
  connection.open(args, head);
  // The draining began when the 101 was already on its way.
  drainingOf(request)?.take(connection);
}

/** Whether its hook has anything to say: that of the library lets everybody in. */
function isAsked(handler: WebSocketHandler): boolean {
  return handler.onHandshake !== WebSocketHandler.prototype.onHandshake;
}

/** What the user's hook says, checked: the headers it adds to the 101, or its refusal. What is wrong with it goes to `onError`. */
async function askHandler(
  handler: WebSocketHandler,
  request: IncomingMessage,
  offeredSubprotocols: readonly string[],
  { settings }: RoutePlan,
  deadline: Deadline,
): Promise<CheckedHeaders | PlainRefusal> {
  const headers: ResponseHeaders = {};
  const failed = (error: unknown): unknown => tellError(handler, settings, error, 'onHandshake');
  const reported = (second: unknown): void => reportSecond(settings, second);
  const failedLate = (error: unknown): void => {
    try {
      const result = failed(error);
      if (isThenable(result)) whenSettled(result, () => {}, reported);
    } catch (second) {
      reported(second);
    }
  };
  try {
    const answer: unknown = await deadline.meet(handler.onHandshake(request, headers), failedLate);
    if (answer === true) return checkResponseHeaders(headers, 101, offeredSubprotocols);
    // `this.isSecure && request.headers['x-pizza']` may be false, undefined or ''.
    if (answer) return toPlainRefusal(answer, headers);
    return toPlainRefusal(
      { status: 403, body: '403 Forbidden\nThe handshake was refused: onHandshake did not return true.\n' },
      headers,
    );
  } catch (error) {
    if (isA(error, HandshakeAborted)) throw error;
    await deadline.meet(failed(error), reported);
    return refuse(500, 'error', 'The handshake failed.');
  }
}
