/**
 * The bounds of the buckets in which the exporters count how long connections lasted, in seconds. WebSockets live for minutes or
 * for days: most bounds lie where proxies and load balancers cut connections (a minute, an hour), and below a second is what did
 * not work at all, such as a client that is closed as soon as it is open and comes back.
 */
export const DURATION_BUCKETS: readonly number[] = [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400];
