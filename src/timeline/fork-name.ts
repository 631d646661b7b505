/** True for what may become a branch `keyframe/<name>`, a directory and a file: of forks, and of runs in machines. */
export function isForkName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name) && !name.includes("..") && !/\.(lock)?$/.test(name);
}
