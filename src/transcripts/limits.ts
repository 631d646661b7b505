/** A chunk of a stored transcript ends at the first line end at or after this many bytes. */
export const chunkTargetBytes = 64 * 1024;

/** No stored file is larger: what the readers of the format accept, and what hosting services take. */
export const maxChunkBytes = 50 * 1024 * 1024;

/** What the chunks of one transcript may hold together: a tree of a few bytes can name the same large chunk a thousand times. */
export const maxTranscriptBytes = 1024 * 1024 * 1024;

/** Transcripts of so many bytes together are read whatever they take in the repository. */
export const freeTranscriptBytes = 64 * 1024 * 1024;

/** Beyond that they may be so many times as large as their objects: conversations compress to a tenth, bombs to a thousandth. */
export const maxTranscriptGrowth = 64;

/** A longer line is replaced by a marker before anything else looks at it. */
export const maxTranscriptLineBytes = 16 * 1024 * 1024;
