import { appendFileSync, mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { RepoPath } from "../../../src/git/ids.ts";
import { type UntrackedFile, UntrackedFiles } from "../../../src/journal/calls/untracked-files.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { scratchFolder } from "../../support/scratch.ts";

const folder = () => {
  const top = scratchFolder();
  const repository = { workTree: top, gitDir: join(top, ".git"), commonDir: join(top, ".git") };
  const file = (path: string, content?: string): UntrackedFile => {
    if (content !== undefined) writeFileSync(join(top, path), content);
    const { mtimeMs, ctimeMs, size: sizeBytes, ino: inode } = statSync(join(top, path));
    return {
      path: path as RepoPath,
      absolute: join(top, path),
      mark: { mtimeMs, ctimeMs, sizeBytes, inode },
    };
  };
  mkdirSync(join(top, ".git"));
  return { top, file, open: () => new UntrackedFiles(repository, nodeFiles) };
};

describe("the contents of untracked files", () => {
  test("are kept by path and mark, and read again only where the mark changed", () => {
    const { top, file, open } = folder();
    const [a, b, empty] = [file("a", "one\n"), file("b", "two\n"), file("empty", "")];
    expect(open().keep([a, b, empty])).toEqual([]);
    expect(open().content(a.path, a.mark)?.toString()).toBe("one\n");
    expect(open().content(empty.path, empty.mark)?.toString()).toBe("");
    appendFileSync(join(top, "b"), "more\n");
    utimesSync(join(top, "b"), 1, 1);
    const later = file("b");
    const kept = open();
    kept.keep([a, later]);
    expect(kept.content(b.path, b.mark)).toBeUndefined();
    expect(kept.content(later.path, later.mark)?.toString()).toBe("two\nmore\n");
    expect(open().content(a.path, a.mark)?.toString()).toBe("one\n");
    expect(open().content(empty.path, empty.mark)).toBeUndefined();
    expect(open().digests().size).toBe(2);
  });

  test("go when nothing is to be kept, and a damaged index means that nothing is known", () => {
    const { top, file, open } = folder();
    const a = file("a", "one\n");
    open().keep([a]);
    const index = join(top, ".git/keyframe/journal/untracked/index.json");
    // contents of files that git may ignore: for the user's own eyes
    expect(statSync(index).mode & 0o777).toBe(0o600);
    writeFileSync(index, "[[");
    expect(open().content(a.path, a.mark)).toBeUndefined();
    open().keep([a]);
    expect(open().content(a.path, a.mark)?.toString()).toBe("one\n");
    open().keep([]);
    expect(nodeFiles.statIfExists(join(top, ".git/keyframe/journal/untracked"))).toBeUndefined();
  });

  test("that were written over many times take no more room than twice what is used", () => {
    const { top, file, open } = folder();
    for (let round = 0; round < 12; round += 1) {
      const large = file("large", `${round}`.repeat(1024 * 1024));
      open().keep([large]);
      expect(open().content(large.path, large.mark)?.length).toBe(large.mark.sizeBytes);
    }
    const { size } = statSync(join(top, ".git/keyframe/journal/untracked/contents"));
    expect(size).toBeLessThan(9 * 1024 * 1024);
  });

  test("of a file that is not what its mark says are not kept", () => {
    const { top, file, open } = folder();
    const a = file("a", "one\n");
    appendFileSync(join(top, "a"), "two\n");
    expect(open().keep([a])).toEqual([a]);
    expect(open().content(a.path, a.mark)).toBeUndefined();
  });
});
