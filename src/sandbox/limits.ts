/** Limits of sandboxes. Each is checked where the value enters. */

/** Guest memory. The upper bound keeps a page number within 32 bits with room. */
export const memoryMiB = { least: 64, most: 64 * 1024 } as const;

export const cpuCount = { least: 1, most: 16 } as const;

/** Disk of a sandbox, bytes. */
export const diskBytes = { least: 64 * 1024 * 1024, most: 2 * 1024 ** 4 } as const;

/** Children of one fork. */
export const maxForkCount = 100;

/** Machines that are kept ready for one snapshot. */
export const maxPoolSize = 50;

/** Links of a snapshot chain; `snapshot flatten` shortens it. */
export const maxChainDepth = 64;

/** Disk layers under one sandbox: QEMU opens each. */
export const maxDiskLayers = 128;

/** Host processes that can talk to one guest at the same time: one virtio-serial port each. */
export const guestPortCount = 8;

/** Rules of one sandbox's network, and characters of one. */
export const maxNetworkRules = 256;
export const maxNetworkRuleLength = 260;

/** Connections that a guest may have to the outside at the same time. */
export const maxGuestConnections = 512;

/** Ports of one guest that are forwarded to this machine. */
export const maxForwards = 64;

/** What any state file (JSON) may hold, bytes. */
export const maxRecordBytes = 4 * 1024 * 1024;

/** Device state of one machine, bytes: 12 KB on microvm, 40 KB on q35. */
export const maxDeviceStateBytes = 64 * 1024 * 1024;

/** A guest may be stopped for a branch for at most this long; then a watchdog continues it. */
export const maxPauseMs = 5_000;

/** How long a machine of a pool waits to be taken. */
export const defaultPoolIdleMs = 30 * 60_000;

/** What an image is made from: layers, members of one, bytes of all files of one. */
export const maxImageLayers = 256;
export const maxImageEntries = 4_000_000;
export const maxImageContentBytes = 256 * 1024 ** 3;
