import type { Git } from "../../git/git.ts";
import { isNullOid, type Oid } from "../../git/ids.ts";
import { fixedLineChoice } from "../../git/objects/line-choice.ts";
import type { LineOwner, OwnerLookup } from "../blame/owner-lookup.ts";
import { parseBlamePorcelain } from "../blame/porcelain.ts";
import type { LineRange } from "../rules/owner-runs.ts";
import type { DiffSide } from "./sides.ts";

/** Finds the owners of lines on one side of a diff. */
export interface DiffOwners {
  /** By line number; lines that nobody is known to own are absent. */
  ownersOf(side: DiffSide, path: string, ranges: readonly LineRange[]): Promise<Map<number, LineOwner>>;
}

/** More ranges than this are asked as the whole file. */
const maxRanges = 500;

export function openDiffOwners(git: Git, lookup: OwnerLookup): DiffOwners {
  let changed: Promise<ReadonlySet<string>> | undefined;

  /** True if what lies in the work tree is what the index holds: then uncommitted lines have the same numbers. */
  async function isSameInWorkTree(path: string): Promise<boolean> {
    changed ??= git.text(["diff-files", "--name-only", "-z"]).then((text) => new Set(text.split("\0")));
    return !(await changed).has(path);
  }

  async function blame(side: DiffSide, path: string, ranges: readonly LineRange[]) {
    const limits =
      ranges.length > maxRanges ? [] : ranges.flatMap(({ first, last }) => ["-L", `${first},${last}`]);
    const args = [...fixedLineChoice, "blame", "--porcelain", ...limits];
    const okCodes = [0, 128];
    if (side.kind === "commit") return git.run([...args, side.commit, "--", path], { okCodes });
    if (side.kind === "worktree") return git.run([...args, "--", path], { okCodes });
    const content = await git.run(["cat-file", "blob", `:${path}`], { okCodes });
    return git.run([...args, "--contents", "-", "--", path], { stdin: content.stdout, okCodes });
  }

  return {
    async ownersOf(side, path, ranges) {
      const owners = new Map<number, LineOwner>();
      if (ranges.length === 0) return owners;
      const result = await blame(side, path, ranges);
      // a path that HEAD does not have yet cannot be blamed: all its lines are uncommitted
      const lines =
        result.code === 0
          ? parseBlamePorcelain(result.stdout)
          : side.kind === "commit"
            ? []
            : uncommitted(path, ranges);
      await lookup.load(lines.map(({ commit }) => commit));
      const pendingApplies =
        side.kind === "worktree" || (side.kind === "index" && (await isSameInWorkTree(path)));
      for (const line of lines) {
        if (isNullOid(line.commit) && !pendingApplies) continue;
        const owned = lookup.ownerOf(isNullOid(line.commit) ? { ...line, line: line.finalLine } : line);
        if (owned !== undefined) owners.set(line.finalLine, owned);
      }
      return owners;
    },
  };
}

function uncommitted(path: string, ranges: readonly LineRange[]) {
  const commit = "0".repeat(40) as Oid;
  return ranges.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, index) => ({
      commit,
      path,
      line: first + index,
      finalLine: first + index,
    })),
  );
}
