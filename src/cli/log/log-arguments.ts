/** How the commits are found in git's output, and what git is asked to print for that. */
export interface LogArguments {
  readonly json: boolean;
  /**
   * `header`: git's own layouts with a `commit <id>` line, an owners line is added to the header. `marked`: a one-line
   * or own format, which is asked to carry the id between marks; the owners go to the end of its first line. `plain`:
   * a layout that must stay as it is (patches by mail, NUL-separated).
   */
  readonly mode: "header" | "marked" | "plain";
  readonly gitArguments: readonly string[];
}

/** Around the id that a marked format carries; git prints neither by itself. */
export const markStart = "\u001e";
export const markEnd = "\u001f";

const headerFormats = new Set(["medium", "short", "full", "fuller", "raw"]);
const referenceFormat = "%C(auto)%h (%s, %ad)";
const onelineFormats = { decorated: "%C(auto)%h%d %s", bare: "%C(auto)%h %s" };

export interface LogDefaults {
  /** `format.pretty`, if it is set. */
  readonly pretty: string | undefined;
  /** `pretty.<name>` of the user's own formats. */
  readonly named: ReadonlyMap<string, string>;
  /** Whether git would show ref names without being asked: `log.decorate`, or a terminal. */
  readonly decorates: boolean;
}

export function readLogArguments(args: readonly string[], defaults: LogDefaults): LogArguments {
  const separator = args.indexOf("--");
  const options = separator === -1 ? args : args.slice(0, separator);
  const paths = separator === -1 ? [] : args.slice(separator);
  const json = options.includes("--json");
  let format = defaults.pretty;
  const kept: string[] = [];
  for (const option of options) {
    const named = /^--(?:pretty|format)(?:=([\s\S]*))?$/.exec(option);
    if (option === "--json") continue;
    if (option === "--oneline") format = "oneline";
    else if (named !== null) format = named[1] ?? "medium";
    else kept.push(option);
  }
  const decorate = kept.findLast((option) => /^--(?:no-)?decorate(?:=|$)/.test(option));
  const decorates = decorate === undefined ? defaults.decorates : !/^--no-|=no$/.test(decorate);
  const resolved = resolveFormat(format ?? "medium", { ...defaults, decorates });
  if (json) return { json, mode: "marked", gitArguments: ["-s", ...withFormat(kept, ""), ...paths] };
  if (kept.includes("-z") || resolved.kind === "plain") {
    return {
      json,
      mode: "plain",
      gitArguments: options.filter((option) => option !== "--json").concat(paths),
    };
  }
  if (resolved.kind === "header") {
    return { json, mode: "header", gitArguments: [...kept, `--pretty=${resolved.name}`, ...paths] };
  }
  const dated =
    format === "reference" && !kept.some((option) => option.startsWith("--date")) ? ["--date=short"] : [];
  return { json, mode: "marked", gitArguments: [...dated, ...withFormat(kept, resolved.text), ...paths] };
}

type Format =
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "plain" };

function resolveFormat(format: string, defaults: LogDefaults): Format {
  if (headerFormats.has(format)) return { kind: "header", name: format };
  if (format === "reference") return { kind: "line", text: referenceFormat };
  if (format === "oneline")
    return { kind: "line", text: onelineFormats[defaults.decorates ? "decorated" : "bare"] };
  const own = defaults.named.get(format.toLowerCase());
  if (own !== undefined) return resolveFormat(own, { ...defaults, named: new Map() });
  const text = /^t?format:([\s\S]*)$/.exec(format)?.[1] ?? (format.includes("%") ? format : undefined);
  return text === undefined || text === "" ? { kind: "plain" } : { kind: "line", text };
}

function withFormat(options: readonly string[], text: string): string[] {
  return [...options, `--format=tformat:${markStart}%H${markEnd}${text}`];
}
