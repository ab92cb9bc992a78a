/// <reference types="node" preserve="true" />
/** The public names of `websocket-route/prometheus`. */
export { type ExportOptions, exportMetrics } from './export-metrics.js';
