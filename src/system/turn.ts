/** Lets everything else that is ready run first: for work that computes for long in slices. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
