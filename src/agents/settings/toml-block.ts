const begin = "# keyframe: begin";
const end = "# keyframe: end";
const block = new RegExp(`\\n?${begin}\\n([\\s\\S]*?)${end}\\n`);

/** The text with `body` in Keyframe's marked block at its end; all else keeps its bytes. */
export function addTomlBlock(text: string, body: string): string {
  const rest = removeTomlBlock(text);
  const gap = rest === "" ? "" : rest.endsWith("\n") ? "\n" : "\n\n";
  return `${rest}${gap}${begin}\n${body}${end}\n`;
}

export function removeTomlBlock(text: string): string {
  return text.replace(block, "");
}

/** What is in the block; undefined where there is none. */
export function tomlBlock(text: string): string | undefined {
  return block.exec(text)?.[1];
}
