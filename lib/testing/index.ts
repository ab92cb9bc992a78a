/** The public names of `websocket-route/testing`, nothing else. */
export type { Clock } from '../connection/clock.js';
export { TestClock } from './test-clock.js';
