/** The `code` of a TypeError for what the user has got wrong, where a table has several kinds: see `spec/error-codes.spec.ts`. */
export const usageErrorCode = (): string =>
  expect.stringMatching(/^ERR_WS_(INVALID_(ARGUMENT|OPTION|HANDLER|PATH|RETURN_VALUE)|UNKNOWN_OPTION)$/) as string;
