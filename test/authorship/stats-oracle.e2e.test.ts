import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

/*
 * A history of random edits, renames and merges on two branches, every line unique. Git's own blame at the end of the
 * range is the oracle for what was accepted: it works line by line backwards, ours by runs forwards.
 */
let repository: TestRepository;
let seed = 20_260_101;
const random = (below: number) => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return (seed >>> 8) % below;
};

type Tree = Map<string, string[]>;
let lineCount = 0;
const owners = ["s_1::t_1", "s_2::t_2", "h_1", undefined];
const ownerOfLine = new Map<string, string | undefined>();

function newLines(count: number): string[] {
  const owner = owners[random(owners.length)];
  return Array.from({ length: count }, () => {
    lineCount += 1;
    ownerOfLine.set(`line ${lineCount}`, owner);
    return `line ${lineCount}`;
  });
}

function edit(tree: Tree): Tree {
  const next = new Map([...tree].map(([path, lines]) => [path, [...lines]]));
  const paths = [...next.keys()];
  for (let count = random(3) + 1; count > 0; count -= 1) {
    const path = paths[random(paths.length)] ?? "a";
    const lines = next.get(path) ?? [];
    lines.splice(random(lines.length + 1), random(4), ...newLines(random(5)));
    next.set(path, lines);
  }
  return next;
}

const data = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`;

beforeAll(() => {
  repository = createTestRepository();
  const base: Tree = new Map(["a", "b", "c"].map((path) => [path, newLines(30)]));
  const stream: string[] = [];
  let mark = 0;
  const write = (tree: Tree, parents: readonly number[]): number => {
    mark += 1;
    const [from, ...merges] = parents.map((parent) => `:${parent}`);
    stream.push(
      `commit refs/heads/main\nmark :${mark}\ncommitter T <t@example.com> ${1_700_000_000 + mark} +0000\n${data(`c${mark}`)}`,
      ...(from === undefined ? [] : [`from ${from}\n`]),
      ...merges.map((parent) => `merge ${parent}\n`),
      "deleteall\n",
      ...[...tree].map(
        ([path, lines]) => `M 100644 inline ${path}\n${data(lines.map((line) => `${line}\n`).join(""))}`,
      ),
    );
    return mark;
  };
  let tip = { tree: base, mark: write(base, []) };
  for (let round = 0; round < 12; round += 1) {
    const start = tip;
    for (let count = random(4); count > 0; count -= 1) {
      const tree = edit(tip.tree);
      tip = { tree, mark: write(tree, [tip.mark]) };
    }
    if (round % 3 !== 0) continue;
    // a branch that adds a file and edits none of the others, so that the merge is plain
    let side = start;
    for (let count = random(3) + 1; count > 0; count -= 1) {
      const path = `side${round}`;
      const tree = new Map(side.tree).set(
        path,
        [...(side.tree.get(path) ?? []), ...newLines(3)].slice(random(2)),
      );
      side = { tree, mark: write(tree, [side.mark]) };
    }
    const merged = new Map([...side.tree, ...tip.tree]);
    // and one line that the merge itself writes
    merged.set("merged", [...(merged.get("merged") ?? []), ...newLines(1)]);
    tip = { tree: merged, mark: write(merged, [tip.mark, side.mark]) };
    const renamed = new Map(
      [...merged].map(([path, lines]) => [
        path === "a" || path.startsWith("a-") ? `a-${round}` : path,
        lines,
      ]),
    );
    tip = { tree: renamed, mark: write(renamed, [tip.mark]) };
  }
  repository.gitBytes(["fast-import", "--quiet"], { input: stream.join("") });
  writeNotes();
});
afterAll(() => repository.remove());

/** Each commit's note claims what blame gives to the commit, by the owner that the line was made with. */
function writeNotes(): void {
  const stream = ["commit refs/notes/ai\ncommitter T <t@example.com> 1 +0000\ndata 5\nnotes\n"];
  for (const commit of repository.git("rev-list", "main").split("\n")) {
    const files = repository.git("ls-tree", "-r", "--name-only", commit).split("\n");
    const text = files.map((path) => {
      const entries = blame(commit, path).flatMap(({ by, content }, index) => {
        const owner = by === commit ? ownerOfLine.get(content) : undefined;
        return owner === undefined ? [] : [`  ${owner} ${index + 1}\n`];
      });
      return entries.length === 0 ? "" : `${path}\n${entries.join("")}`;
    });
    const agent = (tool: string) => ({ agent_id: { tool, id: tool, model: "m" } });
    const metadata = {
      prompts: {},
      humans: { h_1: { author: "H <h@x>" } },
      sessions: { s_1: agent("one"), s_2: agent("two") },
    };
    stream.push(`N inline ${commit}\n${data(`${text.join("")}---\n${JSON.stringify(metadata)}`)}`);
  }
  repository.gitBytes(["fast-import", "--quiet"], { input: stream.join("") });
}

function blame(commit: string, path: string): { by: string; content: string }[] {
  const lines = repository.git("blame", "-s", "-l", "--root", commit, "--", path).split("\n");
  return lines
    .filter((line) => line !== "")
    .map((line) => ({ by: line.slice(0, 40), content: line.replace(/^.*?\) /, "") }));
}

test("added, accepted and the shares agree with git's blame on a random history with merges and renames", () => {
  const commits = repository.git("rev-list", "--topo-order", "main").split("\n");
  expect(commits.length).toBeGreaterThan(25);
  let renames = 0;
  for (const start of [commits.at(-1) ?? "", commits[20] ?? "", commits[7] ?? ""]) {
    const inRange = new Set(repository.git("rev-list", `${start}..main`).split("\n"));
    const present = repository
      .git("ls-tree", "-r", "--name-only", "main")
      .split("\n")
      .flatMap((path) => blame("main", path))
      .filter(({ by }) => inRange.has(by));
    const stats = JSON.parse(repository.keyframe(["stats", "--json", `${start}..main`]).stdout).range_stats;
    const byAgents = present.filter(({ content }) => ownerOfLine.get(content)?.startsWith("s_"));
    expect(stats.ai_accepted).toBe(byAgents.length);
    expect(stats.ai_additions + stats.human_additions + stats.unknown_additions).toBe(
      stats.git_diff_added_lines,
    );
    expect(stats.ai_additions).toBeGreaterThanOrEqual(stats.ai_accepted + stats.ai_overridden);
    if (Object.keys(stats.files).some((path) => path.startsWith("a-"))) renames += 1;
  }
  expect(renames).toBeGreaterThan(0);
});
