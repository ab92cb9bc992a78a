/** A self-signed certificate for 127.0.0.1, made anew for each run. */
let made: Promise<{ key: string; cert: string }> | undefined;

export function certificate(): Promise<{ key: string; cert: string }> {
  made ??= make();
  return made;
}

async function make(): Promise<{ key: string; cert: string }> {
  // Loaded here: it takes longer to load than the rest of most specs, and few serve over TLS.
  const { generate } = await import('selfsigned');
  const extensions = [{ name: 'subjectAltName' as const, altNames: [{ type: 7 as const, ip: '127.0.0.1' }] }];
  const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }], { extensions });
  return { key, cert };
}
