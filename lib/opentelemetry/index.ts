/// <reference types="node" preserve="true" />
/** The public names of `websocket-route/opentelemetry`. */
export { type InstrumentOptions, instrument } from './instrument.js';
