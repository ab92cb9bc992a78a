/**
 * Histogram bounds for connection durations, in seconds. WebSockets live for minutes or for days: most bounds lie
 * where proxies and load balancers close connections (a minute, an hour). Durations below a second indicate failures,
 * such as a client that is closed as soon as it opens, and reconnects.
 */
export const DURATION_BUCKETS: readonly number[] = [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400];
