/** Limits of the server. The ones of sandboxes are the library's. */

/** Requests that are answered at the same time, streams included. */
export const maxRequests = 256;

/** A JSON body, bytes. */
export const maxJsonBytes = 1024 * 1024;

export const httpLimits = {
  maxConnections: 1024,
  maxWaitingPerPeer: 256,
  maxHeaderBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 60_000,
} as const;

/** What requests get to end when the server is told to stop, ms; then their connections are cut. */
export const stopGraceMs = 15_000;

/** Between two signs of life on a stream, ms. */
export const streamAliveMs = 15_000;
