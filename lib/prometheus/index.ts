/// <reference types="node" preserve="true" />
/** The public names of `websocket-route/prometheus`, nothing else. */
export { type ExportOptions, exportMetrics } from './export-metrics.js';
