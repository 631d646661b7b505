/** Largest read or write, bytes: what the protocol recommends and what is announced to clients. */
export const maxRequestBytes = 32 * 1024 * 1024;

/** Longest data of an option. Export names have at most 4,096 bytes. */
export const maxOptionBytes = 16 * 1024;
export const maxNameBytes = 4096;

/** A client that has not chosen an export by then is cut off. */
export const negotiationLimitMs = 30_000;
/** How long a client may take to read the last answers and to close its end. */
export const goodbyeLimitMs = 10_000;
/** Options of one negotiation. */
export const maxOptions = 1000;

/** One connection's requests that are being worked on. */
export const maxRequestsInFlight = 128;
/** Payload of one connection's requests that are being worked on; one more request may exceed it. */
export const maxInFlightBytes = 32 * 1024 * 1024;
/** Replies that the client has not taken yet; past this its requests are not read. */
export const maxQueuedReplyBytes = 8 * 1024 * 1024;

export const maxConnections = 64;

/** Extents in one answer to a block status request. */
export const maxStatusExtents = 4096;
