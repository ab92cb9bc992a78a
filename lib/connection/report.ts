/** Where errors go that nobody else takes: one line of context, then the error, on stderr. */
export function report(context: string, error: unknown): void {
  console.error(`websocket-route: ${context}:`, error);
}
