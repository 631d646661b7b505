/** Longest event line that is read back, bytes. */
export const maxEventLineBytes = 16 * 1024 * 1024;

/** How much of a log's end is read to finish what a killed process began, bytes. */
export const maxRecoveryBytes = 32 * 1024 * 1024;

/** Files above this are recorded by digest only: their lines have no owner. */
export const maxLinedFileBytes = 32 * 1024 * 1024;

/** States of a path that are kept besides the newest, for commits of content staged earlier. */
export const maxEarlierStates = 16;

/** How long a process waits for one holder of the journal's lock, milliseconds. */
export const lockTimeoutMs = 5000;

/** So many times as long while holders take turns: of sixty hooks at once every one records. */
export const lockTurns = 6;

/** The same for a hook, which an agent ends after 30 s: what it could not record by then waits for the next holder. */
export const hookLockTurns = 2;
