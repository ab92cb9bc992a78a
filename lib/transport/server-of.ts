/** The HTTP server that accepted a socket: Node sets it on every socket it serves. Without it, `drain(server)` has nothing to go by. */
export function serverOf(socket: object): object | undefined {
  const server: unknown = Reflect.get(socket, 'server');
  return typeof server === 'object' && server !== null ? server : undefined;
}
