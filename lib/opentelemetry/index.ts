/// <reference types="node" preserve="true" />
/** The public names of `websocket-route/opentelemetry`, nothing else. */
export { type InstrumentOptions, instrument } from './instrument.js';
