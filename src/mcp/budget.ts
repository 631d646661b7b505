import { dropHidden } from "../base/text/clean-text.ts";

/** What a model reads as one token is about four bytes of English or code; short of a tokenizer, the safe side. */
const bytesPerToken = 4;
export const defaultBudget = 1500;
const budgets = { least: 100, most: 20_000 };

/** Collects text until a budget of tokens is spent. */
export class BudgetedText {
  #left: number;
  readonly #parts: string[] = [];

  constructor(tokens: number) {
    const bounded = Math.min(Math.max(budgets.least, Math.floor(tokens) || defaultBudget), budgets.most);
    this.#left = bounded * bytesPerToken;
  }

  /** False if the line did not fit, and nothing was added. */
  add(line: string): boolean {
    const size = Buffer.byteLength(line) + 1;
    if (size > this.#left) return false;
    this.#left -= size;
    this.#parts.push(line);
    return true;
  }

  /** Adds a text cut to `most` bytes; false if the budget had no room for that, and only a beginning was added. */
  addCut(text: string, most: number): boolean {
    const room = this.#left - footerBytes;
    const wanted = cutText(text, most);
    if (Buffer.byteLength(wanted) + 1 <= room) return this.add(wanted);
    if (room > footerBytes) this.add(cutText(wanted, room - 1));
    return false;
  }

  get text(): string {
    return this.#parts.join("\n");
  }
}

/** Kept free for the line that says how to go on. */
const footerBytes = 64;

/** At most so many bytes, whole characters, with a mark where something is missing. */
function cutText(text: string, most: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return text;
  let end = Math.max(0, most - 3);
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.toString("utf8", 0, end)}…`;
}

/** One line, at most so many characters. */
export function oneLine(text: string, most: number): string {
  const flat = dropHidden(text).replace(/\s+/g, " ").trim();
  return flat.length <= most ? flat : `${flat.slice(0, most - 1)}…`;
}
