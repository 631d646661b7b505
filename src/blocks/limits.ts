/** Limits of layers and manifests. Writers refuse what readers would refuse. */

/** Raw bytes that one frame aims at: large enough to compress, small enough for one random read. */
export const frameTargetBytes = 64 * 1024;

/** Raw bytes of the largest frame a reader accepts. */
export const maxFrameBytes = 4 * 1024 * 1024;

export const minBlockSizeBytes = 512;
export const maxBlockSizeBytes = 2 * 1024 * 1024;

/** Block numbers are 32-bit; the last value marks zeros. */
export const maxBlocks = 0xffff_fffe;

export const maxFramesPerLayer = 2 * 1024 * 1024;
export const maxRunsPerLayer = 4 * 1024 * 1024;

export const maxManifestBytes = 256 * 1024 * 1024;
export const maxManifestLayers = 65_536;
/** Older ancestors are left out of a manifest; its extents never need them. */
export const maxAncestors = 1024;
export const maxLabelsBytes = 64 * 1024;

/** Longest name of an image: its record fits a tar header. */
export const maxImageNameLength = 90;

/** Frames of one layer that a writer remembers to store equal ones once; later ones are still found among these. */
export const maxRememberedFrames = 1024 * 1024;
