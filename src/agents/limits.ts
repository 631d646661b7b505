/** Most files that one payload may name. */
export const maxPathsPerPayload = 10_000;

/** Longest path in a payload, UTF-16 units; PATH_MAX of Linux is 4,096 bytes. */
export const maxPathLength = 4096;

/** Longest id, tool name or model that is taken over from a payload, UTF-16 units. */
export const maxNameLength = 512;

/** How much of a transcript's end is read to find the model. */
export const transcriptTailBytes = 64 * 1024;
