/** How each proxy is run by hand, with a configuration that is meant for its usual place. */
import { join } from 'node:path';
import type { Program } from './proxy.js';

const server = '127.0.0.1:8081';

export const PROGRAMS: Readonly<Record<string, Program>> = {
  HAProxy: {
    block: 'haproxy',
    tls: true,
    changes: ({ port, upstream, folder }) => [
      ['bind :443', `bind 127.0.0.1:${port}`],
      ['/etc/ssl/private/example.com.pem', join(folder, 'both.pem')],
      [server, `127.0.0.1:${upstream}`],
    ],
    impatient: { changes: [['timeout tunnel  60s', 'timeout tunnel 2s']] },
    command: (file) => ['/usr/sbin/haproxy', '-db', '-f', file],
  },
  Apache: {
    block: 'apache',
    tls: true,
    changes: ({ port, upstream, folder }) => [
      ['*:443', `127.0.0.1:${port}`],
      ['ServerName example.com', 'ServerName 127.0.0.1'],
      ['/etc/ssl/example.com.crt', join(folder, 'cert.pem')],
      ['/etc/ssl/example.com.key', join(folder, 'key.pem')],
      [server, `127.0.0.1:${upstream}`],
    ],
    around: (site, { port, folder }) => `
      ${['mpm_event', 'authz_core', 'ssl', 'headers', 'proxy', 'proxy_http']
        .map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
        .join('\n')}
      ServerRoot ${folder}
      ServerName 127.0.0.1
      PidFile ${join(folder, 'apache.pid')}
      DefaultRuntimeDir ${folder}
      ErrorLog ${join(folder, 'error.log')}
      User www-data
      Group www-data
      Listen 127.0.0.1:${port}
      ${site}`,
    impatient: { changes: [['ProxyPreserveHost On', 'ProxyPreserveHost On\nTimeout 2']] },
    command: (file) => ['/usr/sbin/apache2', '-D', 'FOREGROUND', '-f', file],
  },
  Caddy: {
    block: 'caddyfile',
    tls: true,
    changes: ({ port, upstream, folder }) => [
      ['example.com {', `https://127.0.0.1:${port} {\n  tls ${join(folder, 'cert.pem')} ${join(folder, 'key.pem')}`],
      [server, `127.0.0.1:${upstream}`],
    ],
    around: (site) => `{\n  admin off\n  auto_https off\n}\n${site}`,
    command: (file) => ['/usr/bin/caddy', 'run', '--adapter', 'caddyfile', '--config', file],
  },
  Varnish: {
    block: 'vcl',
    tls: false,
    changes: ({ upstream }) => [['.port = "8081"', `.port = "${upstream}"`]],
    impatient: { args: ['-p', 'pipe_timeout=2'] },
    command: (file, { port, folder }) => [
      '/usr/sbin/varnishd',
      ...['-F', '-j', 'none', '-n', join(folder, 'varnish'), '-a', `127.0.0.1:${port}`, '-f', file],
      ...['-s', 'malloc,16m', '-p', 'thread_pools=1'],
    ],
  },
  lighttpd: {
    block: 'lighttpd',
    tls: true,
    changes: ({ upstream, port, folder }) => [
      ['":443"', `"127.0.0.1:${port}"`],
      ['/etc/ssl/example.com.crt', join(folder, 'cert.pem')],
      ['/etc/ssl/example.com.key', join(folder, 'key.pem')],
      ['8081', String(upstream)],
    ],
    around: (site, { port, folder }) => `
      server.document-root = "${folder}"
      server.bind = "127.0.0.1"
      server.port = ${port}
      server.errorlog = "${join(folder, 'error.log')}"
      ${site}`,
    impatient: { changes: [['proxy.header', 'server.max-read-idle = 2\nproxy.header']] },
    command: (file) => ['/usr/sbin/lighttpd', '-D', '-f', file],
  },
  Squid: {
    block: 'squid',
    tls: false,
    changes: ({ port, upstream }) => [
      ['http_port 80', `http_port 127.0.0.1:${port}`],
      ['parent 8081', `parent ${upstream}`],
      ['dstdomain example.com', 'dst 127.0.0.1'],
    ],
    around: (site, { folder }) => `${site}
pid_filename ${join(folder, 'squid.pid')}
access_log none
cache_log ${join(folder, 'cache.log')}
cache_mem 8 MB
shutdown_lifetime 0 seconds
pinger_enable off
coredump_dir ${folder}
`,
    impatient: { changes: [['cache deny all', 'cache deny all\nread_timeout 2 seconds']] },
    command: (file) => ['/usr/sbin/squid', '-N', '-f', file],
  },
  stunnel: {
    block: 'ini',
    tls: true,
    isTrusted: false,
    changes: ({ port, upstream, folder }) => [
      ['accept = 443', `accept = 127.0.0.1:${port}`],
      ['/etc/ssl/example.com.crt', join(folder, 'cert.pem')],
      ['/etc/ssl/example.com.key', join(folder, 'key.pem')],
      [server, `127.0.0.1:${upstream}`],
    ],
    around: (site) => `foreground = yes\npid =\n${site}`,
    impatient: { changes: [['[wss]', '[wss]\nTIMEOUTidle = 2']] },
    command: (file) => ['/usr/bin/stunnel4', file],
  },
};
