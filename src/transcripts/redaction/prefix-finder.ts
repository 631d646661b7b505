import type { Finder, Look } from "./finder.ts";
import type { PrefixRule } from "./rules.ts";

/** One rule with one of its prefixes; none can keep another from finding what it finds alone. */
export function createPrefixFinders(rules: readonly PrefixRule[]): Finder[] {
  return rules.flatMap((rule) => rule.prefixes.map((prefix) => createPrefixFinder(rule, prefix)));
}

/** Runs that need no more characters than this are looked at from each start anew. */
const maxShortRun = 100;

function createPrefixFinder(rule: PrefixRule, prefix: string): Finder {
  const { name, characters, minLength, maxLength, inside } = rule;
  const begin = (): Look => {
    const run = new RegExp(`[${characters}]{${minLength},${maxLength}}`, "y");
    // measured only where looking at the same characters again from each start would add up
    const stretch = minLength > maxShortRun ? new RegExp(`[${characters}]*`, "y") : undefined;
    let foundTo = 0;
    // the last run that was too short: from inside of it only shorter ones begin
    let tooShortFrom = -1;
    let tooShortTo = -1;
    return (text, at, found) => {
      if (at < foundTo || (inside !== true && !startsWord(text, at))) return;
      const from = at + prefix.length;
      if (from >= tooShortFrom && from <= tooShortTo) return;
      run.lastIndex = from;
      if (run.test(text)) {
        foundTo = run.lastIndex;
        found.push({ start: at, end: foundTo, rule: name });
      } else if (stretch !== undefined) {
        stretch.lastIndex = from;
        stretch.test(text);
        tooShortFrom = from;
        tooShortTo = stretch.lastIndex;
      }
    };
  };
  return { words: [prefix], begin };
}

/** A key begins where a word begins; in JSON, the `n` of a `\n` before it is not part of the word. */
function startsWord(text: string, at: number): boolean {
  if (at === 0 || !isWordCharacter(text.charCodeAt(at - 1))) return true;
  return at > 1 && text[at - 2] === "\\" && "nrtbf".includes(text[at - 1] ?? "-");
}

function isWordCharacter(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x5f
  );
}
