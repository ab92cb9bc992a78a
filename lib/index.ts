/// <reference types="node" preserve="true" />
/** The public names of `websocket-route`. */

export type { AsyncContextChoice } from './connection/async-context.js';
export type { HookName, RateLimit, SlowConsumerPolicy } from './connection/hooks.js';
export { ReadyState } from './connection/lifecycle.js';
export type { Version } from './connection/negotiated.js';
export type { FileOptions, FileSource } from './connection/outbound/file-job.js';
export type { PreparedMessage } from './connection/outbound/prepared-message.js';
export {
  type BinaryMatch,
  BinaryPattern,
  type Delimiter,
  EntireMessage,
  type MessageOf,
  type UnitOf,
} from './dispatch/delimiter.js';
export {
  ErrorCode,
  FileError,
  HeaderError,
  InvalidStateError,
  OverflowError,
  ProtocolError,
  StructError,
} from './errors.js';
export { CloseCode } from './framing/close-code.js';
export { Opcode } from './framing/opcode.js';
export { broadcast } from './handler/broadcast.js';
export { WebSocketHandler } from './handler/handler.js';
export type { HandlerTypes, MessageIterator } from './handler/handler-arguments.js';
export type { HandlerClassFor, HandlerHooks, HandlerLiteral } from './handler/handler-types.js';
export type {
  CompressOptions,
  ConnectionKey,
  ConnectionOptions,
  Converter,
  OriginPolicy,
  Refusal,
  ResponseHeaders,
  RouteOptions,
  SubprotocolChoice,
} from './handler/options/options.js';
export { prepare } from './handler/prepare.js';
export type { CloseOptions, Data, PrepareOptions, WriteFileOptions, WriteOptions } from './handler/write-options.js';
export { isWebSocketHandshake } from './handshake/negotiate.js';
export { type Log, setLog } from './log.js';
export { Limits } from './memory/memory-budget.js';
export { toInteger } from './routing/path.js';
export type { ConvertedParams, ParamsOf } from './routing/path-types.js';
export { acceptWebSocket, type Middleware, websocketRoute } from './routing/route.js';
export { type UpgradeListenerOptions, upgradeListener } from './routing/upgrade-listener.js';
export { type DrainResult, drain } from './shutdown/drain.js';
export { drainOnSignal } from './shutdown/drain-on-signal.js';
export type { DrainOnSignalOptions, DrainOptions } from './shutdown/drain-options.js';
export type { WebStreams } from './streams/web-streams.js';
export { NetStruct } from './struct/net-struct.js';
export { Struct } from './struct/struct.js';
export type {
  BytesInput,
  NetStructInputs,
  NetStructValues,
  StructInput,
  StructInputs,
  StructValue,
  StructValues,
} from './struct/types.js';
export type { Unpacker } from './struct/unpacker.js';
export type { DiagnosticMessages } from './telemetry/channels.js';
export type { RefusalReason } from './telemetry/refusal-reasons.js';
export { type Metrics, metrics, type RouteMetrics } from './telemetry/route-counters.js';
