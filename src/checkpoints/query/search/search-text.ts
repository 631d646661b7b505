/** Something a person may look for: a prompt, a part of a summary, or what was said in a transcript. */
export interface SearchText {
  readonly kind: "prompt" | "summary" | "user" | "assistant" | "tool";
  readonly text: string;
}

// long texts are shown in parts that overlap, so that what is looked for may lie across a cut
const partChars = 20_000;
const overlapChars = 500;

export function* cutText(text: string): Generator<string> {
  for (let from = 0; from === 0 || from + overlapChars < text.length; from += partChars - overlapChars) {
    yield text.slice(from, from + partChars);
  }
}
