/**
 * Parses a URL; undefined if the text is not one. `URL.canParse` is unreliable: once V8 has optimized it, Node 20
 * decodes Latin-1 as UTF-8 there, and accepts texts for which `new URL` throws.
 */
export function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
