/** A self-signed certificate for 127.0.0.1, made once a day: that takes longer than most specs. */
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

interface Certificate {
  key: string;
  cert: string;
}

const FILE = join(__dirname, '..', '..', '.cache', 'certificate.json');
const DAY = 24 * 60 * 60 * 1000;

let loaded: Promise<Certificate> | undefined;

export function certificate(): Promise<Certificate> {
  loaded ??= kept().catch(make);
  return loaded;
}

/** @throws where there is none yet, or an old one */
async function kept(): Promise<Certificate> {
  const { mtimeMs } = await stat(FILE);
  if (Date.now() - mtimeMs > DAY) throw new Error('it is too old');
  return JSON.parse(await readFile(FILE, 'utf8')) as Certificate;
}

async function make(): Promise<Certificate> {
  // Loaded here, since it takes long to load, too.
  const { generate } = await import('selfsigned');
  const extensions = [{ name: 'subjectAltName' as const, altNames: [{ type: 7 as const, ip: '127.0.0.1' }] }];
  const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }], { extensions });
  await mkdir(dirname(FILE), { recursive: true });
  // Others may read it at this moment, or make one.
  const own = `${FILE}.${process.pid}`;
  await writeFile(own, JSON.stringify({ key, cert }), { mode: 0o600 });
  await rename(own, FILE);
  return { key, cert };
}
