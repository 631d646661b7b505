/** Arguments that list the commits of these refs, the latest first, one a line. */
export function tipsArguments(most: number, ...below: readonly string[]): readonly string[] {
  return ["for-each-ref", "--sort=-committerdate", `--count=${most}`, "--format=%(objectname)", ...below];
}
