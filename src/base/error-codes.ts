/**
 * Every code a KeyframeError can carry, with one sentence for docs/errors.md. Codes are stable: scripts match on
 * them. The exit code that each gives is in src/cli/command/exit-codes.ts.
 */
export const errorCodes = {
  // the machine
  "disk-full": "The file system has no room for a write that Keyframe needs.",
  "permission-denied": "The operating system refused access to a file or directory.",
  "io-failed": "A file or socket operation failed for another reason; the cause is attached.",
  "program-missing": "A program that the command needs is not installed.",
  "program-failed": "A program that Keyframe called ended with an error.",
  "timed-out": "Something did not answer within its time limit.",
  "lock-busy": "Another Keyframe process holds a lock for longer than the time limit.",
  // input
  usage: "The command line is not valid.",
  "invalid-input":
    "Input from outside (a hook payload, a file, an argument) does not have the expected form.",
  "too-large": "Input exceeds a named limit.",
  "not-found": "The thing that was named does not exist.",
  refused: "The request is valid, but doing it would be unsafe.",
  "not-here": "The thing is recorded, but its data is not on this machine.",
  damaged: "A stored record fails its own check.",
  // sandboxes
  "already-exists": "The name is taken.",
  "in-use": "Something still depends on it or runs from it.",
  "not-ready": "The snapshot is still being written, or its writer ended before it was complete.",
  "guest-failed": "The guest refused a request.",
  "guest-gone": "The machine has ended or its guest does not answer any more.",
  "hypervisor-failed": "QEMU refused a request or ended.",
  "store-unavailable": "An object store could not be reached, broke off or asked to come back later.",
  unsupported: "The store, file system or server cannot do what was asked.",
  closed: "The image, device or connection was closed while something still used it.",
  "never-recorded": "Nobody ever recorded the thing: no machine and no remote can have it.",
  // the server
  unauthorized: "The request lacks the server's token, or has another one.",
  "foreign-origin": "The request comes from a web page of another origin, or names another host.",
  busy: "The server works on as many requests as it may at the same time.",
  // remotes
  "not-on-remote": "The thing is recorded, and the remote that was asked does not have its data.",
  "remote-failed": "A remote could not be reached, refused us, or broke off.",
} as const;

export type ErrorCode = keyof typeof errorCodes;
