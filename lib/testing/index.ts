/// <reference types="node" preserve="true" />
/** The public names of `websocket-route/testing`. */
export type { Clock } from '../transport/clock.js';
export { type ConnectOptions, connect, memorySocket, type SocketOptions, type Target } from './connect.js';
export { type ClientFrame, clientFrame, type ServerFrame } from './frames.js';
export type { MemorySocket } from './memory-socket.js';
export type { Answer, Closed, TestClient } from './test-client.js';
export { TestClock } from './test-clock.js';
export type { WaitOptions } from './wait.js';
