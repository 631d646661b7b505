import { afterEach, beforeEach, expect, test } from "vitest";
import { mustFindRepository } from "../../../src/git/repository.ts";
import { listEpochs } from "../../../src/journal/layout.ts";
import { readPendingHeads, restorePendingHeads } from "../../../src/journal/pending/pending-heads.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { nodeMachine } from "../../../src/system/machine/machine.ts";
import { type AuthorshipRepo, makeAuthorshipRepo, nodeObserveDeps } from "../../support/authorship-repo.ts";

let source: AuthorshipRepo;
let target: AuthorshipRepo;
beforeEach(() => {
  source = makeAuthorshipRepo();
  target = makeAuthorshipRepo();
});
afterEach(() => {
  source.remove();
  target.remove();
});

const headsOf = (repo: AuthorshipRepo) =>
  readPendingHeads(mustFindRepository(repo.folder, nodeMachine), nodeFiles);
const restore = (heads: ReturnType<typeof headsOf>, content: (path: string) => string) =>
  restorePendingHeads(nodeObserveDeps, mustFindRepository(target.folder, nodeMachine), {
    base: "initial",
    heads: heads.map((head) => ({ head, content: Buffer.from(content(head.path)) })),
  });

test("pending heads come by path in order, without marks and open calls, and leave out what nobody owns", () => {
  for (const path of ["m", "z", "a", "k", "b"])
    source.agentEdit(path, () => source.write(path, `of ${path}`));
  const heads = headsOf(source);
  expect(heads.map(({ path }) => path)).toEqual(["a", "b", "k", "m", "z"]);
  for (const head of heads) expect(head).toMatchObject({ mark: null, earlier: [], begun: [] });
});

test("heads are restored with their owners where the content is theirs, and nothing is begun where none is", () => {
  for (const path of ["a", "b"]) source.agentEdit(path, () => source.write(path, `of ${path}`));
  const heads = headsOf(source);
  expect(restore(heads, () => "other bytes\n")).toEqual([]);
  expect(listEpochs(mustFindRepository(target.folder, nodeMachine), nodeFiles)).toEqual([]);
  expect(restore(heads, (path) => (path === "a" ? "of a\n" : "changed since\n"))).toEqual(["a"]);
  const [restored, ...others] = headsOf(target);
  expect(others).toEqual([]);
  expect(restored?.current).toEqual(heads[0]?.current);
  expect(restored?.agents).toEqual(heads[0]?.agents);
});
