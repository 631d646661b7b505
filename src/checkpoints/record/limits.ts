/** Metadata larger than this is reported, not read: a writer without limits once made one of 112 MB. */
export const maxMetadataBytes = 8 * 1024 * 1024;

/** What we write stays far below; longer lists are cut and say so. */
export const maxFilesTouched = 2000;

/** Items of any list in metadata that are looked at. */
export const maxListedFields = 10_000;

/** Largest prompt file that is read to show its first line. */
export const maxPromptBytes = 4 * 1024 * 1024;

/** Nested `subagent_tokens` beyond this are not summed. */
export const maxTokenDepth = 16;

/** Sessions of one checkpoint that are read; real data has up to 23. */
export const maxSessions = 500;

/** Checkpoints that one generation of full transcripts holds before it is archived. */
export const checkpointsPerGeneration = 100;

/** How often a writer starts again after another was first. */
export const maxWriteAttempts = 12;

/** What is kept of a session or a rewind goes with `keyframe clean` when nothing was heard of it for so long. */
export const defaultCleanAgeMs = 30 * 24 * 60 * 60 * 1000;

/** From more packs than this on, those of all fetches are made one: git looks into every pack it has. */
export const maxFetchedPacks = 8;

/** A turn of which nothing was heard for so long counts as never ended, where its agent's process is not known. */
export const maxSilenceMs = 24 * 60 * 60 * 1000;

/** From this many on a fetch joins them by itself. */
export const mostFetchedPacks = 32;
