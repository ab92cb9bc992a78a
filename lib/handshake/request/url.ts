/**
 * Reads a URL; undefined if the text is not one. `URL.canParse` does not do: once V8 has optimized it, Node 20 reads Latin-1 as
 * UTF-8 there, and passes texts at which `new URL` throws.
 */
export function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
