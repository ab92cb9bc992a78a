/** The text of a scrape, read as Prometheus would. */

export interface Scraped {
  /** By the whole of what stands before the value: `chat_open_connections{route="/ws"}`. */
  readonly values: ReadonlyMap<string, number>;
  /** By the metric's name. */
  readonly types: ReadonlyMap<string, string>;
  readonly helps: ReadonlyMap<string, string>;
}

const LABEL = '[a-zA-Z_]\\w*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const SAMPLE = new RegExp(`^([a-zA-Z_:][\\w:]*(?:\\{${LABEL}(?:,${LABEL})*\\})?) (\\d+(?:\\.\\d+)?)$`);

/** @throws for a line that is neither a comment nor a sample, and for a sample that comes twice */
export function parseScrape(text: string): Scraped {
  const values = new Map<string, number>();
  const types = new Map<string, string>();
  const helps = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '' || line === '# EOF') continue;
    const [, kind, name = '', rest = ''] = /^# (TYPE|HELP) (\S+) (.*)$/.exec(line) ?? [];
    if (kind !== undefined) {
      (kind === 'TYPE' ? types : helps).set(name, rest);
      continue;
    }
    const [, sample = '', value = ''] = SAMPLE.exec(line) ?? [];
    if (sample === '' || values.has(sample)) throw new Error(`this is no sample, or comes twice: ${line}`);
    values.set(sample, Number(value));
  }
  return { values, types, helps };
}

/** The samples of one route, without their prefix and that label: `closed_connections_total{code="1000"}`. */
export function valuesOf({ values }: Scraped, route: string, prefix = 'websocket_route_'): Record<string, number> {
  const label = `route="${route}"`;
  const own = [...values].filter(([sample]) => sample.startsWith(prefix) && sample.includes(label));
  return Object.fromEntries(
    own.map(([sample, value]) => [
      sample.slice(prefix.length).replace(label, '').replace('{}', '').replace('{,', '{').replace(',}', '}'),
      value,
    ]),
  );
}
