export type BlameFormat = "text" | "porcelain" | "line-porcelain" | "incremental" | "json";

/** A `keyframe blame` command line, read as git reads it, as far as the join needs it. */
export interface BlameArguments {
  readonly format: BlameFormat;
  readonly withOwners: boolean;
  /** `-c`: tabs between the columns. */
  readonly compatible: boolean;
  /** `--color-lines` or `--color-by-age`: git colours the columns itself. */
  readonly coloured: boolean;
  /** `--contents`: uncommitted lines are then not those of the work tree. */
  readonly otherContents: boolean;
  /** `--contents -`. */
  readonly readsStandardInput: boolean;
  /** What git is given for the output that the user sees. */
  readonly gitArguments: readonly string[];
  /** What git is given to learn where each of those lines was written; the porcelain option is not in it. */
  readonly originArguments: readonly string[];
  /** With `--reverse` the commits that git prints are not those that wrote the lines. */
  readonly reverse: boolean;
}

/** Long options of `git blame` and of the revision walk, to complete abbreviated ones; true: takes a separate value. */
const longOptions = new Map<string, boolean>(
  Object.entries({
    incremental: false,
    root: false,
    "show-stats": false,
    progress: false,
    "score-debug": false,
    "show-name": false,
    "show-number": false,
    porcelain: false,
    "line-porcelain": false,
    "show-email": false,
    "ignore-rev": true,
    "ignore-revs-file": true,
    "no-ignore-revs-file": false,
    "color-lines": false,
    "color-by-age": false,
    minimal: false,
    contents: true,
    abbrev: false,
    reverse: false,
    "first-parent": false,
    date: true,
    encoding: true,
    since: true,
    after: true,
    until: true,
    before: true,
    "max-count": true,
    "diff-algorithm": true,
    // ours
    json: false,
    "no-owner": false,
  }),
);

/** Not wanted when git is asked for origins: they print more, or are refused beside porcelain output. */
const displayOnly = new Set([
  "incremental",
  "porcelain",
  "p",
  "line-porcelain",
  "progress",
  "show-stats",
  "color-lines",
  "color-by-age",
  "score-debug",
]);
const ours = new Set(["json", "no-owner"]);

interface Token {
  /** As git is given it: one word, or an option and its value. */
  readonly words: readonly string[];
  /** The option's long name or letter; undefined for a positional. */
  readonly name: string | undefined;
}

export function readBlameArguments(args: readonly string[]): BlameArguments {
  const separator = args.indexOf("--");
  const tokens = tokenise(separator === -1 ? args : args.slice(0, separator));
  const paths = separator === -1 ? undefined : args.slice(separator + 1);
  const names = new Set(tokens.flatMap(({ name }) => name ?? []));
  const git = tokens.filter(({ name }) => name === undefined || !ours.has(name));
  const dashed = paths === undefined ? [] : ["--", ...paths];
  const reverse = names.has("reverse");
  return {
    format: formatOf(names),
    withOwners: !names.has("no-owner"),
    compatible: names.has("c"),
    coloured: names.has("color-lines") || names.has("color-by-age"),
    otherContents: names.has("contents"),
    readsStandardInput: tokens.some(
      ({ name, words }) => name === "contents" && /^(.*=)?-$/.test(words.at(-1) ?? ""),
    ),
    gitArguments: [...wordsOf(git), ...dashed],
    originArguments: reverse
      ? forwardArguments(git, paths)
      : [...wordsOf(git.filter(({ name }) => name === undefined || !displayOnly.has(name))), ...dashed],
    reverse,
  };
}

function wordsOf(tokens: readonly Token[]): string[] {
  return tokens.flatMap(({ words }) => words);
}

function formatOf(names: ReadonlySet<string>): BlameFormat {
  if (names.has("json")) return "json";
  if (names.has("incremental")) return "incremental";
  if (names.has("line-porcelain")) return "line-porcelain";
  return names.has("porcelain") || names.has("p") ? "porcelain" : "text";
}

const originOptions = new Set(["L", "w", "M", "C", "minimal", "diff-algorithm", "S"]);

/** Where the lines at the start of a reversed range came from: a plain blame of that start. */
function forwardArguments(git: readonly Token[], paths: readonly string[] | undefined): string[] {
  const positionals = wordsOf(git.filter(({ name }) => name === undefined));
  const path = paths ?? positionals.slice(-1);
  const revisions = paths === undefined ? positionals.slice(0, -1) : positionals;
  const start = revisions[0]?.split("..")[0] || "HEAD";
  const kept = git.filter(({ name }) => name !== undefined && originOptions.has(name));
  return [...wordsOf(kept), start, "--", ...path];
}

function tokenise(args: readonly string[]): Token[] {
  const tokens: Token[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? "";
    const value = args[index + 1];
    const takeValue = (option: string) => {
      index += value === undefined ? 0 : 1;
      return value === undefined ? [option] : [option, value];
    };
    if (word.startsWith("--")) {
      const name = longName(word);
      const separate = longOptions.get(name) === true && !word.includes("=");
      tokens.push({ name, words: separate ? takeValue(word) : [word] });
    } else if (/^-[A-Za-z]/.test(word)) tokens.push(...tokeniseLetters(word, takeValue));
    else tokens.push({ name: undefined, words: [word] });
  }
  return tokens;
}

/** `-wsL1,3` is `-w -s -L1,3`, as in git. */
function tokeniseLetters(word: string, takeValue: (option: string) => string[]): Token[] {
  const tokens: Token[] = [];
  for (let at = 1; at < word.length; at += 1) {
    const name = word.charAt(at);
    const rest = word.slice(at + 1);
    if (name === "L" || name === "S") {
      tokens.push({ name, words: rest === "" ? takeValue(`-${name}`) : [`-${name}${rest}`] });
      return tokens;
    }
    if (name === "M" || name === "C") {
      tokens.push({ name, words: [`-${name}${rest}`] });
      return tokens;
    }
    tokens.push({ name, words: [`-${name}`] });
  }
  return tokens;
}

/** The full name of a long option; git takes any prefix that is unique. */
function longName(word: string): string {
  const name = word.slice(2).split("=")[0] ?? "";
  if (longOptions.has(name)) return name;
  const candidates = [...longOptions.keys()].filter((known) => known.startsWith(name));
  return candidates.length === 1 ? (candidates[0] ?? name) : name;
}
