/**
 * A pattern as in .gitignore and .gitattributes: `*` and `?` within a path part, `**` over parts, `[a-z]` classes; one
 * without a slash matches the last part at any depth. Matching takes time in proportion to pattern times path, whatever
 * the pattern: patterns come from repositories.
 */
export function compileGlob(pattern: string): (path: string) => boolean {
  const simple = /^(\*?)([^*?[\]\\/]+)$/.exec(pattern);
  if (simple?.[2] !== undefined) return nameTest(simple[2], simple[1] === "*");
  const anchored = pattern.replace(/\/+$/, "").includes("/");
  const parts = pattern.replace(/^\/+|\/+$/g, "").split("/");
  const matchers = (anchored ? parts : ["**", ...parts]).map((part) =>
    part === "**" ? anyParts : compilePart(part),
  );
  return (path) => matchParts(matchers, path.split("/"));
}

/** A bare name or `*.ext`, as most patterns are: no part of the path has to be cut out for it. */
function nameTest(text: string, isEnding: boolean): (path: string) => boolean {
  return (path) =>
    path.endsWith(text) && (isEnding || path.length === text.length || path.at(-text.length - 1) === "/");
}

type Part = typeof anyParts | readonly CharMatcher[];
/** `undefined` stands for `*`. */
type CharMatcher = ((char: string) => boolean) | undefined;
const anyParts = "any parts";

function matchParts(matchers: readonly Part[], parts: readonly string[]): boolean {
  const end = matchers.length;
  // reachable[i]: the first i matchers have consumed all parts so far
  let reachable = passOverEmpty(matchers, [true]);
  for (const part of parts) {
    const next: boolean[] = [];
    for (const [index, matcher] of matchers.entries()) {
      if (reachable[index] !== true) continue;
      if (matcher === anyParts) {
        next[index] = true;
        // at the end it stands for everything below, so it takes at least one part
        if (index === end - 1) next[end] = true;
      } else if (matchPart(matcher, part)) next[index + 1] = true;
    }
    reachable = passOverEmpty(matchers, next);
  }
  return reachable[end] === true;
}

/** `**` before another part may stand for no part at all. */
function passOverEmpty(matchers: readonly Part[], reachable: boolean[]): boolean[] {
  for (const [index, matcher] of matchers.entries()) {
    const more = index < matchers.length - 1;
    if (reachable[index] === true && matcher === anyParts && more) reachable[index + 1] = true;
  }
  return reachable;
}

/** Goes back to the last `*` only: an earlier one can always be taken shorter. */
function matchPart(matcher: readonly CharMatcher[], part: string): boolean {
  const chars = Array.from(part);
  let at = 0;
  let star: { readonly matcher: number; char: number } | undefined;
  let index = 0;
  while (index < chars.length) {
    const wanted = matcher[at];
    if (at < matcher.length && wanted === undefined) {
      star = { matcher: at, char: index };
      at += 1;
    } else if (wanted?.(chars[index] ?? "")) {
      at += 1;
      index += 1;
    } else if (star !== undefined) {
      star.char += 1;
      index = star.char;
      at = star.matcher + 1;
    } else return false;
  }
  while (at < matcher.length && matcher[at] === undefined) at += 1;
  return at === matcher.length;
}

function compilePart(part: string): readonly CharMatcher[] {
  const matchers: CharMatcher[] = [];
  for (let rest = part; rest !== ""; ) {
    const set = /^\[([!^]?)((?:\]|[^\]])[^\]]*)\]/.exec(rest);
    const [char = ""] = rest;
    if (char === "*") matchers.push(undefined);
    else if (char === "?") matchers.push(() => true);
    else if (set?.[2] !== undefined) matchers.push(compileSet(set[2], set[1] !== ""));
    else {
      const literal = char === "\\" && rest.length > 1 ? (Array.from(rest)[1] ?? "") : char;
      matchers.push((other) => other === literal);
      rest = char === "\\" && rest.length > 1 ? rest.slice(1 + literal.length) : rest.slice(char.length);
      continue;
    }
    rest = rest.slice(set?.[0].length ?? char.length);
  }
  return matchers;
}

function compileSet(body: string, negated: boolean): (char: string) => boolean {
  const ranges = [...body.matchAll(/(.)-(.)|(.)/gsu)].map(([, first, last, single = ""]) =>
    first !== undefined && last !== undefined ? ([first, last] as const) : ([single, single] as const),
  );
  return (char) => ranges.some(([first, last]) => first <= char && char <= last) !== negated;
}
