import {
  createCssVariablesTheme,
  createHighlighterCore,
  type GrammarState,
  type HighlighterCore,
  type ThemedToken,
} from "@shikijs/core";
import { createJavaScriptRegexEngine } from "@shikijs/engine-javascript";
import { grammars, type LanguageName } from "./languages.ts";
import { type PaintedLine, roles } from "./painted-line.ts";

/** Longer lines are data, not something that is read. */
const maxLineCharacters = 2000;
const blockLines = 200;

let made: Promise<HighlighterCore> | undefined;

function highlighter(): Promise<HighlighterCore> {
  made ??= createHighlighterCore({
    themes: [createCssVariablesTheme({ name: "roles", variablePrefix: "--" })],
    langs: [],
    engine: createJavaScriptRegexEngine({ forgiving: true }),
  });
  return made;
}

/** Paints a file block by block from its beginning: what a line is depends on all before it. */
export class FilePainter {
  readonly #language: LanguageName;
  readonly #text: readonly string[];
  readonly #blocks: PaintedLine[][] = [];
  #state: GrammarState | undefined;

  constructor(language: LanguageName, text: readonly string[]) {
    this.#language = language;
    this.#text = text;
  }

  /** Lines `from` to before `until`, 0-based. */
  async paint(from: number, until: number): Promise<PaintedLine[]> {
    const shiki = await highlighter();
    await shiki.loadLanguage(grammars[this.#language]);
    while (this.#blocks.length * blockLines < Math.min(until, this.#text.length)) this.#paintBlock(shiki);
    const first = Math.floor(from / blockLines);
    const blocks = this.#blocks.slice(first, Math.ceil(until / blockLines));
    return blocks.flat().slice(from - first * blockLines, until - first * blockLines);
  }

  #paintBlock(shiki: HighlighterCore): void {
    const at = this.#blocks.length * blockLines;
    const tokens = shiki.codeToTokensBase(this.#text.slice(at, at + blockLines).join("\n"), {
      lang: this.#language === "json" ? "jsonc" : this.#language,
      theme: "roles",
      tokenizeMaxLineLength: maxLineCharacters,
      ...(this.#state === undefined ? {} : { grammarState: this.#state }),
    });
    this.#state = shiki.getLastGrammarState(tokens);
    this.#blocks.push(tokens.map(paintedLine));
  }
}

/** Neighbours of one role become one piece; blanks take the role before them. */
function paintedLine(tokens: readonly ThemedToken[]): PaintedLine {
  const line: number[] = [];
  for (const { content, color = "" } of tokens) {
    const role = Math.max(0, roles.indexOf(/token-([a-z]+)/.exec(color)?.[1] ?? ""));
    const last = line.length - 1;
    if (last > 0 && (line[last] === role || content.trim() === ""))
      line[last - 1] = (line[last - 1] ?? 0) + content.length;
    else line.push(content.length, role);
  }
  return line;
}
