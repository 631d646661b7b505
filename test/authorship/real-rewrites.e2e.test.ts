import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AuthorshipLog, ownersByPath } from "../../src/authorship/note/log.ts";
import {
  encodeAuthorshipLog,
  entriesOfRuns,
  parseAuthorshipLog,
} from "../../src/authorship/note/log-codec.ts";
import { addedRanges } from "../../src/authorship/rules/added-lines.ts";
import { keyAtLine, type OwnerRun } from "../../src/authorship/rules/owner-runs.ts";
import { carryIntoCommits } from "../../src/authorship/settle/carried-commits.ts";
import { writeNoteBatch } from "../../src/authorship/settle/note-batch.ts";
import { openGit } from "../../src/git/git.ts";
import type { Oid } from "../../src/git/ids.ts";
import { openObjectReader } from "../../src/git/objects/objects.ts";
import { readCommitPatches } from "../../src/git/objects/patch.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { type AuthorshipRepo, makeAuthorshipRepo, nodeObserveDeps } from "../support/authorship-repo.ts";
import {
  hasRealCheckpoints,
  type RealRepository,
  unpackRealCheckpoints,
} from "../support/real-checkpoints.ts";
import { readRealNotes, sampleNotesPath, sharedDataPath } from "../support/shared-data.ts";

// Real data through git's own rewriting, made without a hook: where a commit has the patch that another one had, it has
// the claims that that one had, and no note ever names a line that its commit does not add. A slice of the data runs
// here; all of it with KEYFRAME_REAL_REWRITES=all and the directory of real data beside the project.
const isWhole = process.env["KEYFRAME_REAL_REWRITES"] === "all";
const hour = 3_600_000;
/** Notes that are rebuilt in one repository. */
const notesPerRepository = isWhole ? 100 : 8;

const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_EDITOR: "true" };

let repo: AuthorshipRepo;
beforeEach(() => {
  repo = makeAuthorshipRepo();
});
afterEach(() => repo.remove());

const git = (...args: string[]) =>
  execFileSync("git", args, {
    cwd: repo.folder,
    env,
    encoding: "utf8",
    maxBuffer: 2 ** 30,
    stdio: "pipe",
  }).trim();
const list = (range: string) => git("rev-list", "--reverse", range).split("\n").filter(Boolean) as Oid[];

/** What notes claim: `path:line` to the owner's key. */
async function claimsOf(commits: readonly Oid[]): Promise<Map<string, string>[]> {
  return commits.map((commit) => {
    const claims = new Map<string, string>();
    const { log } = parseAuthorshipLog(Buffer.from(repo.note(commit)));
    for (const [, { path, runs }] of ownersByPath(log)) {
      for (const { first, last, key } of runs)
        for (let line = first; line <= last; line += 1) claims.set(`${path}:${line}`, key);
    }
    return claims;
  });
}

async function patchesOf(commits: readonly Oid[]) {
  const bound = openGit(mustFindRepository(repo.folder, nodeObserveDeps), nodeProcesses);
  const patches = [];
  for await (const patch of readCommitPatches(bound, commits)) patches.push(patch);
  return patches;
}

/** Claims of lines that their commits do not add. */
async function claimsOutside(commits: readonly Oid[]): Promise<number> {
  const claims = await claimsOf(commits);
  let outside = 0;
  for (const patch of await patchesOf(commits)) {
    const added = new Set<string>();
    for (const { newPath, hunks } of patch.files)
      for (const { first, last } of addedRanges(hunks))
        for (let line = first; line <= last; line += 1) added.add(`${newPath}:${line}`);
    for (const place of claims[commits.indexOf(patch.commit)]?.keys() ?? [])
      if (!added.has(place)) outside += 1;
  }
  return outside;
}

function plant(commit: Oid, log: AuthorshipLog): void {
  execFileSync("git", ["notes", "--ref=ai", "add", "-f", "-F", "-", commit], {
    cwd: repo.folder,
    env,
    input: encodeAuthorshipLog(log),
    stdio: "pipe",
  });
}

/** Per line of a commit's file the owner's key by git's blame and the notes, null for nobody. */
function ownersAt(commit: string, path: string): (string | null)[] {
  const text = git("blame", "--porcelain", commit, "--", path);
  const owners: (string | null)[] = [];
  const names = new Map<string, string>();
  let at: RegExpExecArray | null = null;
  for (const line of text.split("\n")) {
    at = /^([0-9a-f]{40}) (\d+) \d+/.exec(line) ?? at;
    if (line.startsWith("filename ") && at !== null) names.set(at[1] ?? "", line.slice(9));
    if (!line.startsWith("\t") || at === null) continue;
    const runs = runsAt(at[1] as Oid, names.get(at[1] ?? "") ?? path);
    owners.push(keyAtLine(runs, Number(at[2])) ?? null);
  }
  return owners;
}

const noteCache = new Map<string, readonly OwnerRun[]>();

function runsAt(commit: Oid, path: string): readonly OwnerRun[] {
  const key = `${repo.folder} ${commit} ${path}`;
  const known = noteCache.get(key);
  if (known !== undefined) return known;
  const { log } = parseAuthorshipLog(Buffer.from(repo.note(commit)));
  const runs = [...ownersByPath(log).values()].find((file) => file.path === path)?.runs ?? [];
  noteCache.set(key, runs);
  return runs;
}

/** What `keyframe doctor --repair` does with more time: the search before a command ends after two seconds. */
async function repairSquash(): Promise<void> {
  const bound = openGit(mustFindRepository(repo.folder, nodeObserveDeps), nodeProcesses);
  const reader = openObjectReader(bound);
  try {
    const deps = { git: bound, reader, ...nodeObserveDeps, searchMs: hour };
    const logs = await carryIntoCommits(deps, [git("rev-parse", "squashed") as Oid]);
    await writeNoteBatch({ git: bound, reader, deps: nodeObserveDeps }, { logs, precedence: "existing" });
  } finally {
    await reader.close();
  }
}

interface Figures {
  readonly claims: number;
  readonly changed: number;
  /** The first claims that changed. */
  readonly examples: readonly string[];
  readonly outside: number;
}

/** Rebases, picks and squashes `work` (all commits since `root`) on a base that went on, and compares what is claimed. */
async function rewrite(): Promise<Figures> {
  const before = list("root..work");
  const expected = await claimsOf(before);
  git("switch", "-q", "-c", "base", "root");
  repo.write("unrelated", "by nobody");
  git("add", "unrelated");
  git("commit", "-qm", "went on");
  await repo.settle();
  git("switch", "-q", "-c", "rebased", "work");
  git("rebase", "-q", "base");
  git("switch", "-q", "-c", "picked", "base");
  git("cherry-pick", "--allow-empty", "--keep-redundant-commits", "root..work");
  git("switch", "-q", "-c", "squashed", "base");
  git("merge", "-q", "--squash", "work");
  git("commit", "-qm", "all of it (#1)");
  await repo.settle();
  await repairSquash();
  const examples: string[] = [];
  let outside = 0;
  for (const name of ["rebased", "picked"]) {
    const commits = list(`base..${name}`);
    expect(commits).toHaveLength(before.length);
    const claimed = await claimsOf(commits);
    expected.forEach((claims, index) => {
      const now = claimed[index] ?? new Map<string, string>();
      for (const [place, key] of claims) if (now.get(place) !== key) examples.push(`${name} ${place}`);
      for (const place of now.keys()) if (!claims.has(place)) examples.push(`${name} ${place} added`);
    });
    outside += await claimsOutside(commits);
  }
  outside += await claimsOutside([git("rev-parse", "squashed") as Oid]);
  for (const path of git("diff", "--name-only", "--diff-filter=d", "base", "squashed")
    .split("\n")
    .filter(Boolean)) {
    const stood = ownersAt("work", path);
    ownersAt("squashed", path).forEach((key, index) => {
      if (key !== (stood[index] ?? null))
        examples.push(`squashed ${path}:${index + 1} ${stood[index]} ${key}`);
    });
  }
  const claims = expected.reduce((sum, each) => sum + each.size, 0);
  return { claims, changed: examples.length, outside, examples: examples.slice(0, 5) };
}

describe("real notes, their commits rebuilt", () => {
  /** A commit with the lines that a note does not claim, and one that adds those it claims. */
  function rebuild(
    note: string,
    index: number,
  ): { readonly stream: string; readonly log: AuthorshipLog } | undefined {
    const { log } = parseAuthorshipLog(Buffer.from(note));
    const files = [...ownersByPath(log).values()].filter(
      ({ runs }) => runs.length > 0 && (runs.at(-1)?.last ?? 0) <= 20_000,
    );
    if (files.length === 0) return undefined;
    const text = (path: string, line: number) => `line ${line} of ${path} in ${index}\n`;
    const commit = (kind: "base" | "noted") =>
      [
        `commit refs/heads/work\ncommitter P <p@x> ${1_700_000_000 + index * 2 + (kind === "base" ? 0 : 1)} +0000\n`,
        `data <<E\n${kind} ${index}\nE\n`,
        ...files.map(({ path, runs }) => {
          let content = "";
          const end = runs.at(-1)?.last ?? 0;
          for (let line = 1; line <= end; line += 1)
            if (kind === "noted" || keyAtLine(runs, line) === undefined) content += text(path, line);
          return `M 100644 inline ${quoted(`n${index}/${path}`)}\ndata ${Buffer.byteLength(content)}\n${content}\n`;
        }),
        "\n",
      ].join("");
    return {
      stream: commit("base") + commit("noted"),
      log: {
        ...log,
        files: files.map(({ path, runs }) => ({
          path: `n${index}/${path}` as never,
          entries: entriesOfRuns(runs),
        })),
      },
    };
  }

  function countClaimed(note: string): number {
    const { log } = parseAuthorshipLog(Buffer.from(note));
    return [...ownersByPath(log).values()].filter(({ runs }) => runs.length > 0).length;
  }

  const quoted = (path: string) => `"${path.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

  test.for([
    { count: 144, path: sampleNotesPath },
    { count: 816, path: sharedDataPath("git-ai-notes-sample.jsonl.gz") },
  ])(
    "$count notes: no claim changes and none is outside of its commit",
    { timeout: hour },
    async ({ count, path }, { skip }) => {
      if (path === undefined) return skip("the directory with all real notes is not beside the project");
      if (count > 144 && !isWhole) return skip("all real notes run with KEYFRAME_REAL_REWRITES=all");
      const notes = readRealNotes(path).filter(({ note }) => countClaimed(note) > 0);
      const total = { notes: 0, claims: 0, changed: 0, outside: 0, examples: [] as string[] };
      for (let from = 0; from < notes.length; from += notesPerRepository) {
        if (from > 0) {
          repo.remove();
          repo = makeAuthorshipRepo();
        }
        const built = notes
          .slice(from, from + notesPerRepository)
          .flatMap(({ note }, index) => rebuild(note, index) ?? []);
        repo.write("first", "by nobody");
        await repo.commit();
        git("branch", "root");
        git("branch", "work");
        const stream = built.map((each) => each.stream).join("");
        execFileSync("git", ["fast-import", "--quiet", "--force"], {
          cwd: repo.folder,
          env,
          input: stream.replace(
            /(commit refs\/heads\/work\n[^\n]*\ndata <<E\n[^\n]*\nE\n)/,
            "$1from refs/heads/root\n",
          ),
          stdio: "pipe",
        });
        const commits = list("root..work");
        for (const [index, { log }] of built.entries()) plant(commits[index * 2 + 1] as Oid, log);
        await repo.settle();
        const figures = await rewrite();
        total.notes += built.length;
        for (const name of ["claims", "changed", "outside"] as const) total[name] += figures[name];
        total.examples.push(...figures.examples);
        if (!isWhole) break;
      }
      if (isWhole) process.stderr.write(`${count} real notes: ${JSON.stringify(total)}\n`);
      expect(total.claims).toBeGreaterThan(100);
      expect([total.examples, total.outside]).toEqual([[], 0]);
    },
  );
});

describe("real checkpoint repositories, their commits claimed by turns", () => {
  const names: readonly RealRepository[] = ["sample", "auth-go", "roger-roger", "skills", "test-repo"];
  const keys = ["s_00112233445566::t_00112233445566", "h_31dce776f88375", undefined] as const;
  const metadata = {
    schema_version: "authorship/3.0.0",
    prompts: {},
    sessions: {
      s_00112233445566: { agent_id: { tool: "claude", id: "1", model: "m" }, human_author: "P <p@x>" },
    },
    humans: { h_31dce776f88375: { author: "Alice Smith <alice@example.com>" } },
  };

  /** Every third line that a commit adds is an agent's, every third a person's. */
  async function claimAll(commits: readonly Oid[]): Promise<void> {
    for (const patch of await patchesOf(commits)) {
      const files = patch.files.flatMap(({ newPath, hunks, binary }) => {
        const runs: OwnerRun[] = [];
        for (const { first, last } of addedRanges(hunks)) {
          for (let line = first; line <= last; line += 1) {
            const key = keys[line % 3];
            if (key !== undefined) runs.push({ first: line, last: line, key });
          }
        }
        return newPath === undefined || binary || runs.length === 0
          ? []
          : [{ path: newPath, entries: entriesOfRuns(runs) }];
      });
      if (files.length > 0) plant(patch.commit, { files, metadata });
    }
  }

  /** A branch up to the newest commit whose history has all its objects: a stored copy can lack some of the latest. */
  function makeWholeBranch(folder: string): string {
    const inCopy = (...args: string[]) => git("-C", folder, ...args);
    const [first = ""] = inCopy("for-each-ref", "--format=%(refname)", "refs/heads").split("\n");
    const commits = inCopy("rev-list", "--first-parent", "--reverse", first).split("\n");
    const isWhole = (commit = "") => !/^\?/m.test(inCopy("rev-list", "--objects", "--missing=print", commit));
    let whole = 0;
    let lacking = commits.length;
    while (lacking - whole > 1) {
      const middle = (whole + lacking) >> 1;
      if (isWhole(commits[middle])) whole = middle;
      else lacking = middle;
    }
    inCopy("update-ref", "refs/heads/whole", commits[whole] ?? "");
    return "refs/heads/whole";
  }

  test.for(names.map((name) => ({ name })))("$name", { timeout: hour }, async ({ name }, { skip }) => {
    if (name !== "sample" && !hasRealCheckpoints)
      return skip("the directory with real checkpoints is not beside the project");
    if (name !== "sample" && !isWhole) return skip("all repositories run with KEYFRAME_REAL_REWRITES=all");
    const real = unpackRealCheckpoints();
    try {
      const branch = "refs/heads/real";
      git("fetch", "-q", real.path(name), `+${makeWholeBranch(real.path(name))}:${branch}`);
      const first = git("rev-list", "--max-parents=0", branch).split("\n")[0] ?? "";
      const latest = git("rev-list", "--no-merges", "--first-parent", "--max-count=900", branch).split("\n");
      git("branch", "root", latest.length < 900 ? first : (latest.at(-1) ?? first));
      git("branch", "work", branch);
      git("update-ref", "-d", branch);
      git("switch", "-q", "work");
      await claimAll(list("root..work"));
      await repo.settle();
      const figures = await rewrite();
      if (isWhole) process.stderr.write(`${name}: ${JSON.stringify(figures)}\n`);
      expect(figures.claims).toBeGreaterThan(5);
      expect([figures.examples, figures.outside]).toEqual([[], 0]);
    } finally {
      real.remove();
    }
  });
});
