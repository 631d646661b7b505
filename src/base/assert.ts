/** Crashes on a state that cannot happen. For what a user can cause, throw a KeyframeError instead. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new AssertionError(what);
}

/** Returns the value, or crashes if it is absent although it cannot be. */
export function must<T>(value: T | undefined | null, what: string): T {
  assert(value !== undefined && value !== null, what);
  return value;
}

/** Marks a branch that the types exclude. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value ${JSON.stringify(value)}`);
}

class AssertionError extends Error {
  constructor(what: string) {
    super(`this is a bug in Keyframe: ${what}`);
    this.name = "AssertionError";
  }
}
