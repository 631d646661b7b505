import { compileGlob } from "../../base/text/glob.ts";

/** Files that nobody writes by hand: left out of statistics unless .gitattributes says otherwise. */
const generatedFiles = `
  *.lock package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml shrinkwrap.yaml
  go.sum Gemfile.lock poetry.lock composer.lock Pipfile.lock
  *.generated.* *.min.js *.min.css *.map *.snap *.snap.new
  **/vendor/** **/node_modules/** **/__snapshots__/** **/drizzle/meta/**
  *.pb.go *.pb.cc *.pb.h *.pb.dart *_pb.js *_pb.ts *_pb.d.ts *_pb2.py *_pb2_grpc.py
`
  .trim()
  .split(/\s+/);

export interface IgnoreSources {
  /** The root .gitattributes of the commit, if it has one. */
  readonly gitAttributes: string | undefined;
  /** The root .git-ai-ignore of the commit: one pattern a line. */
  readonly ignoreFile: string | undefined;
  /** Patterns of the command line; they add to the rest. */
  readonly patterns: readonly string[];
}

/** A test for files that are not counted. `-linguist-generated` brings a default back; nothing brings a named one back. */
export function compileIgnoredFiles(sources: IgnoreSources): (path: string) => boolean {
  const listed = (sources.ignoreFile ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const named = [...listed, ...sources.patterns].map(compileGlob);
  const defaults = generatedFiles.map(compileGlob);
  const attributes = parseGenerated(sources.gitAttributes ?? "");
  const decided = new Map<string, boolean>();
  const decide = (path: string) => {
    if (named.some((matches) => matches(path))) return true;
    const attribute = attributes.findLast(({ matches }) => matches(path));
    return attribute?.generated ?? defaults.some((matches) => matches(path));
  };
  return (path) => {
    const known = decided.get(path) ?? decide(path);
    decided.set(path, known);
    return known;
  };
}

interface GeneratedRule {
  readonly matches: (path: string) => boolean;
  /** Undefined: the rule takes back what an earlier one said. */
  readonly generated: boolean | undefined;
}

function parseGenerated(text: string): GeneratedRule[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^\s#"]\S*))\s+(.*)$/.exec(line);
    const pattern = match?.[1] ?? match?.[2];
    const states = [...(match?.[3] ?? "").matchAll(/(?:^|\s)([-!]?)linguist-generated(?:=(\S+))?(?=\s|$)/g)];
    const last = states.at(-1);
    if (pattern === undefined || last === undefined) return [];
    const generated = last[1] === "!" ? undefined : last[1] !== "-" && last[2] !== "false";
    return [{ matches: compileGlob(pattern), generated }];
  });
}
