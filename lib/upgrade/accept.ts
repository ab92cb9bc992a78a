/**
 * The handshake (RFC 6455 section 4.2.2), the same for both doors:
 *
 *     request ─▶ negotiate ─▶ origin ─▶ subprotocol ─▶ onHandshake ─▶ 101 ─▶ release ─▶ connection.open
 *                    └───────────┴────────────┴──────────────┴─▶ refusal
 *
 * Until the 101 is out nothing has been promised, and the peer may vanish at any point: then nothing happens at all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Connection } from '../connection/connection.js';
import { report } from '../connection/report.js';
import { invalidArgument } from '../errors.js';
import { bind, type WebSocketHandler } from '../handler.js';
import type { Refusal, ResponseHeaders } from '../options.js';
import { challengeResponse, draft76Headers } from './draft76.js';
import { type Accepting, negotiate } from './handshake.js';
import { checkResponseHeaders } from './headers.js';
import { headOf, takeBytes } from './heads.js';
import { originRefusalText } from './origins.js';
import type { Plan } from './plan.js';
import { hostOf, isSecure } from './proxy.js';
import { type PlainRefusal, refuse, toPlainRefusal } from './refusal.js';
import { releaseFromServer } from './release.js';
import { sendRefusal, sendSwitchingProtocols } from './respond.js';

const NOTHING = Buffer.alloc(0);

/** Answers the request; `args` are for `onConnect`. Never rejected. */
export async function accept(
  plan: Plan,
  request: IncomingMessage,
  response: ServerResponse,
  args: readonly unknown[],
): Promise<void> {
  let refusal: PlainRefusal | undefined;
  try {
    refusal = await new Handshake(plan, request, response).run(args);
  } catch (error) {
    report(`handshake of ${plan.settings.name}`, error);
    refusal = refuse(500, 'error', 'The handshake failed.');
  }
  if (refusal !== undefined) sendRefusal(response, refusal);
}

class Handshake {
  private readonly plan: Plan;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;

  constructor(plan: Plan, request: IncomingMessage, response: ServerResponse) {
    this.plan = plan;
    this.request = request;
    this.response = response;
  }

  async run(args: readonly unknown[]): Promise<PlainRefusal | undefined> {
    const { plan, request } = this;
    const asked = negotiate(request, { allowOldHandshake: plan.allowOldHandshake });
    if ('status' in asked) return asked;
    const head = headOf(request);
    if (asked.version === 0 && head === undefined) {
      return refuse(426, 'version', 'Draft-76 is only spoken through upgradeListener(app).', { Upgrade: 'websocket' });
    }
    const secure = isSecure(request);
    const host = hostOf(request);
    if (!(await plan.isOriginAllowed(asked.origin, { secure, host, request }))) {
      return refuse(403, 'origin', originRefusalText(asked.origin ?? '', host));
    }
    const handler = new plan.Handler();
    const connection = new Connection(request.socket, handler, plan.settings);
    connection.version = asked.version;
    connection.isSecure = secure;
    connection.subprotocol = plan.chooseSubprotocol(asked.subprotocols, request) ?? '';
    bind(handler, connection);

    const headers: ResponseHeaders = {};
    const answer = await askHandler(handler, request, headers);
    if (answer !== true) return refusalOf(answer, headers);
    const own = checkResponseHeaders(headers, 101, asked.subprotocols);
    const chosen = own.find(([name]) => name.toLowerCase() === 'sec-websocket-protocol')?.[1];
    if (typeof chosen === 'string') connection.subprotocol = chosen;
    this.switchProtocols(asked, connection, host, head ?? NOTHING, own, args);
    return undefined;
  }

  private switchProtocols(
    asked: Accepting,
    connection: Connection,
    host: string | undefined,
    head: Buffer,
    own: readonly (readonly [string, string | string[]])[],
    args: readonly unknown[],
  ): void {
    const { request, response } = this;
    const { socket } = request;
    // The hook may have taken its time: the peer has gone, or somebody else has answered.
    if (socket.destroyed || response.headersSent || response.writableEnded) return;
    const { subprotocol, isSecure: secure } = connection;
    const protocolHeaders =
      asked.version === 0
        ? draft76Headers({ origin: asked.origin ?? '', secure, host: host ?? '', url: request.url ?? '/', subprotocol })
        : switchingHeaders(asked.accept, subprotocol);
    sendSwitchingProtocols(response, [...own, ...Object.entries(protocolHeaders)], () => {
      releaseFromServer(socket);
      if (asked.version === 0) answerChallenge(request, head, connection, args).catch(() => socket.destroy());
      else if (!socket.destroyed) connection.open(args, head);
    });
  }
}

function switchingHeaders(accept: string, subprotocol: string): Record<string, string> {
  const headers = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': accept };
  return subprotocol === '' ? headers : { ...headers, 'Sec-WebSocket-Protocol': subprotocol };
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
  connection.open(args, taken.rest);
}

/** What the user's hook says; undefined when it failed. */
async function askHandler(
  handler: WebSocketHandler,
  request: IncomingMessage,
  headers: ResponseHeaders,
): Promise<boolean | Refusal | undefined> {
  try {
    const answer: unknown = await handler.onHandshake(request, headers);
    if (answer === undefined || answer === null || answer === false) return false;
    if (answer === true || typeof answer === 'object') return answer as true | Refusal;
    throw invalidArgument(
      'onHandshake result',
      answer,
      'it must be true, false or a refusal { status, headers, body }',
    );
  } catch (error) {
    await handler.onError(error, 'onHandshake');
    return undefined;
  }
}

function refusalOf(answer: false | Refusal | undefined, headers: ResponseHeaders): PlainRefusal {
  if (answer === undefined) return refuse(500, 'error', 'The handshake failed.');
  if (answer !== false) return toPlainRefusal(answer, headers);
  return toPlainRefusal({ status: 403, body: '403 Forbidden\nThe handshake was refused.\n' }, headers);
}
