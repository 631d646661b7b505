/** Limits that more than one directory needs. A directory's own limits live in its own limits.ts. */

/** Longest hook payload that is read from standard input, bytes. */
export const maxHookPayloadBytes = 64 * 1024 * 1024;
