/** Keyframe's own lines in `.git/info/exclude`: files that it makes and nobody should commit. */
const opening = "# >>> keyframe >>>";
const closing = "# <<< keyframe <<<";
const blockPattern = new RegExp(`^${opening}\\n([\\s\\S]*?)^${closing}\\n`, "m");

/** The text with exactly these paths (from the top of the work tree) in Keyframe's block; all other bytes stay. */
export function setExcluded(text: string, paths: readonly string[]): string {
  const bare = text.replace(blockPattern, "");
  if (paths.length === 0) return bare;
  const start = bare === "" || bare.endsWith("\n") ? bare : `${bare}\n`;
  return `${start}${opening}\n${paths.map((path) => `${encodePattern(path)}\n`).join("")}${closing}\n`;
}

/** True if the path is in the block. */
export function isExcludedByUs(text: string, path: string): boolean {
  return blockPattern.exec(text)?.[1]?.split("\n").includes(encodePattern(path)) === true;
}

/** A pattern of gitignore that matches this path alone. */
function encodePattern(path: string): string {
  return `/${path.replace(/[\\*?[\]!# ]/g, String.raw`\$&`)}`;
}

/** The paths in the block. */
export function excludedByUs(text: string): string[] {
  return (blockPattern.exec(text)?.[1] ?? "")
    .split("\n")
    .filter(Boolean)
    .map((line) => line.replace(/^\//, "").replace(/\\([\\*?[\]!# ])/g, "$1"));
}
