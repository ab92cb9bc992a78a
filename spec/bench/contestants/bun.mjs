/** Bun's own server, which is uWebSockets. */
const members = new Set();
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, server) {
    const { pathname } = new URL(request.url);
    return server.upgrade(request, { data: { pathname } }) ? undefined : new Response('', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: 2 ** 30,
    open(socket) {
      if (socket.data.pathname === '/fanout') members.add(socket);
    },
    message(socket, data) {
      if (socket.data.pathname === '/fanout') for (const member of members) member.send(data);
      else socket.send(data);
    },
    close(socket) {
      members.delete(socket);
    },
  },
});
console.log(JSON.stringify({ port: server.port }));
for await (const line of console) {
  if (line === 'memory') {
    Bun.gc(true);
    console.log(JSON.stringify({ rss: process.memoryUsage.rss() }));
  } else console.log('{}');
}
process.exit();
