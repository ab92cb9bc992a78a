/**
 * Reads a URL, or says that it is none. Not by `URL.canParse`: once it is optimized, that of Node 20 takes Latin-1 for UTF-8,
 * and lets pass what `new URL` throws at.
 */
export function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
