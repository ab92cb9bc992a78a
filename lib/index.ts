/// <reference types="node" preserve="true" />
/** The public names, and nothing else. */

export { broadcast } from './broadcast.js';
export type { AsyncContextChoice } from './connection/async-context.js';
export type { Version } from './connection/connection.js';
export type { FileOptions, FileSource } from './connection/file-job.js';
export type { HookName, RateLimit, SlowConsumerPolicy } from './connection/hooks.js';
export { Limits } from './connection/limits.js';
export type { PreparedMessage } from './connection/prepared.js';
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
export { ReadyState } from './framing/state.js';
export {
  type CloseOptions,
  type Data,
  type HandlerTypes,
  type MessageIterator,
  prepare,
  WebSocketHandler,
  type WriteFileOptions,
  type WriteOptions,
} from './handler.js';
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
} from './options.js';
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
export { type Metrics, metrics, type RouteMetrics } from './telemetry/tally.js';
export { type DrainResult, drain } from './upgrade/drain.js';
export { drainOnSignal } from './upgrade/drain-on-signal.js';
export type { DrainOnSignalOptions, DrainOptions } from './upgrade/drain-options.js';
export type { HandlerClassFor, HandlerHooks, HandlerLiteral } from './upgrade/handler-types.js';
export { isWebSocketHandshake } from './upgrade/handshake.js';
export { toInteger } from './upgrade/path.js';
export type { ConvertedParams, ParamsOf } from './upgrade/path-types.js';
export { acceptWebSocket, type Middleware, websocketRoute } from './upgrade/route.js';
export { type UpgradeListenerOptions, upgradeListener } from './upgrade/upgrade-listener.js';
