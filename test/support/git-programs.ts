import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { type AuthorshipRepo, agentA, agentB, makeAuthorshipRepo } from "./authorship-repo.ts";

// Random programs of real git over files of unique lines, run by a person or in an agent's shell call. Each line is one
// character and its writer never changes, wherever git takes it.

export type Letter = "A" | "B" | "K" | "U";

const file = fc.constantFrom("one", "two", "renamed");
const runner = fc.constantFrom<"person" | "shell" | "shell of B">("person", "shell", "shell of B");
const edit = fc.record({
  kind: fc.constant("edit" as const),
  file,
  by: fc.constantFrom<Letter>("A", "B", "K", "U"),
  at: fc.nat(8),
  remove: fc.nat(1),
  viaShell: fc.boolean(),
});

const interactive = (sed: string) => `GIT_SEQUENCE_EDITOR="sed -i '${sed}'" git rebase -q -i HEAD~2`;
const onBoth = "git diff --name-only --diff-filter=U | xargs -r sed -i '/^[<=>]\\{7\\}/d'; git add -A";

/** Scripts of git; `$other` is another branch, `$new` a fresh name. All keep content as it is, or take it away. */
const keeping = {
  commit: "git add -A && git commit -qm c",
  "commit one": "git add one && git commit -qm one",
  "commit a hunk": "printf 's\\ny\\nn\\nn\\nn\\n' | git add -p one && git commit -qm part",
  amend: "git add -A && git commit -q --amend --no-edit",
  bypassed: "git add -A && git -c core.hooksPath=/dev/null commit -qnm bypassed",
  switch: "git switch -q $other",
  "switch -m": "git switch -q -m $other",
  branch: "git switch -qc $new",
  orphan: "git checkout -q --orphan $new && git commit -qm orphan",
  stash: "git stash -q",
  "stash -u": "git stash -q -u",
  pop: "git stash pop -q",
  "stash and pop": "git stash -q && git stash pop -q",
  "stash to another branch": "git stash -q -u && git switch -q $other && git stash pop -q",
  "stash of what is staged": "git add one && git stash -q --staged && git stash pop -q",
  "stash apply": "git stash -q && git stash apply -q && git stash drop -q",
  "stash branch": "git stash -q && git stash branch $new",
  "pop in a worktree":
    "git stash -q && git worktree add -q .git/w -b $new && { (cd .git/w && git stash pop -q && git commit -qam popped); git worktree remove --force .git/w; }",
  "cherry-pick": "git cherry-pick $other",
  "cherry-pick -x": "git cherry-pick -x $other",
  "cherry-pick -n": "git cherry-pick -n $other && git commit -qm picked",
  "cherry-pick range": "git cherry-pick HEAD..$other",
  revert: "git revert --no-edit HEAD",
  "revert -n": "git revert -n HEAD && git commit -qm undone",
  "revert of an older one": "git revert --no-edit HEAD~",
  "revert twice": "git revert --no-edit HEAD && git revert --no-edit HEAD",
  merge: "git merge -q --no-edit $other",
  "merge --no-commit": "git merge -q --no-commit --no-ff $other && git commit -qm merged",
  squash: "git merge -q --squash $other && git commit -qm squashed",
  theirs: "git merge -q -X theirs --no-edit $other",
  "checkout --theirs":
    "git merge -q --no-edit $other || { git checkout --theirs . && git add -A && git commit -qm theirs; }",
  "pull of a squash":
    "cur=$(git branch --show-current) && git clone -q . .git/s && (cd .git/s && git config user.name S && git config user.email s@x && git switch -q $other && git merge -q --squash origin/$cur && git commit -qm server) && git pull -q --no-edit .git/s $other; rm -rf .git/s",
  rebase: "git rebase -q $other",
  "rebase --onto": "git rebase -q --onto $other HEAD~",
  "rebase --autostash": "git rebase -q --autostash $other",
  "rebase --rebase-merges": "git rebase -q --rebase-merges $other",
  "rebase --exec": "git rebase -q -x true HEAD~2",
  "rebase --quit": `${interactive("1s/pick/edit/")}; git rebase --quit && git switch -qc $new`,
  reword: interactive("1s/pick/reword/"),
  edit: `${interactive("1s/pick/edit/")}; git commit -q --amend -m edited && git rebase --continue`,
  "edit and split": `${interactive("2s/pick/edit/")}; git reset -q HEAD~ && git add one && git commit -qm first; git add -A && git commit -qm second; git rebase --continue`,
  break: `${interactive("1a break")}; git rebase --continue`,
  fixup: interactive("2s/pick/fixup/"),
  "fixup -C": interactive("2s/pick/fixup -C/"),
  "fixup -c": interactive("2s/pick/fixup -c/"),
  "rebase --update-refs": "git branch $new HEAD~ && git rebase -q --update-refs $other",
  "rebase with a label": `${interactive("1i label onto\\nreset onto")}; git rebase --continue`,
  "rebase --root": "git rebase -q --root",
  autosquash:
    "git add -A && git commit -q --fixup HEAD && GIT_SEQUENCE_EDITOR=: git rebase -q -i --autosquash HEAD~2",
  "squash in rebase": interactive("2s/pick/squash/"),
  drop: interactive("1s/pick/drop/"),
  reorder: interactive("1{h;d};2G"),
  "fast-import":
    "git diff --quiet HEAD && cur=$(git branch --show-current) && git fast-export $cur | git fast-import --quiet --force && git reset -q --hard",
  "filter-branch":
    "git diff --quiet HEAD && FILTER_BRANCH_SQUELCH_WARNING=1 git filter-branch -f --msg-filter 'cat; echo filtered' -- HEAD",
  split: "git reset -q HEAD~ && git add one && git commit -qm first; git add -A && git commit -qm second",
  "reset --soft": "git reset -q --soft HEAD~ && git commit -qm again",
  "reset --mixed": "git reset -q HEAD~ && git add -A && git commit -qm again",
  "reset --keep": "git reset -q --keep HEAD~",
  "reset --hard": "git reset -q --hard HEAD~",
  "reset --hard to other": "git reset -q --hard $other",
  "checkout path": "git checkout $other -- one && git commit -qm taken",
  "restore path": "git restore --source=$other two",
  am: "git format-patch -q -1 -o .git/p $other && git am -q -3 .git/p/*; rm -rf .git/p",
  apply: "git diff --quiet HEAD && git diff $other~ $other | git apply -3 --index && git commit -qm applied",
  restack:
    "git diff --quiet HEAD && t=$(git rev-parse HEAD^{tree}) && git update-ref HEAD $(git commit-tree -p HEAD~ -m restack $t)",
  "restack that keeps authors":
    'git diff --quiet HEAD && t=$(git rev-parse HEAD^{tree}) && export GIT_AUTHOR_DATE="$(git show -s --format=%ad --date=raw HEAD)" && git update-ref HEAD $(git commit-tree -p HEAD~ -m restack $t)',
  mv: "git mv one moved && git commit -qm moved && git mv moved one && git commit -qm back",
  "mv in the index": "git mv one renamed",
  "mv of the file": "mv one renamed",
  "mv back": "mv renamed one",
  copy: "git diff --quiet HEAD -- one && cp one copy && git add copy && git commit -qm copied",
  gc: "git gc -q",
  // what older gits do not have fails there and changes nothing
  replay:
    "git diff --quiet HEAD && cur=$(git branch --show-current) && git replay --onto $other HEAD~..$cur | git update-ref --stdin; git reset -q --hard",
  "history reword": "git history reword HEAD~",
  "history fixup": "git add -A && git history fixup HEAD~",
  "history split": "printf 'y\\nn\\nn\\nn\\n' | git history split HEAD",
} as const;

/** Conflicts that are resolved by keeping both sides: who resolves says where the lines stand, so some may be unknown. */
const resolving = {
  "merge, both sides": `git merge -q --no-edit $other || { ${onBoth}; git commit -qm resolved; }`,
  "cherry-pick, both sides": `git cherry-pick $other || { ${onBoth}; git -c core.editor=true cherry-pick --continue; }`,
  "rebase, both sides": `git rebase -q $other || { ${onBoth}; git -c core.editor=true rebase --continue; }`,
  "revert, both sides": `git revert --no-edit HEAD~ || { ${onBoth}; git -c core.editor=true revert --continue; }`,
  "am, both sides": `git format-patch -q -1 -o .git/p $other && { git am -q -3 .git/p/* || { ${onBoth}; git am --continue; }; }; rm -rf .git/p`,
  "pop, both sides": `git stash -q && git switch -q $other && { git stash pop -q || { ${onBoth}; git stash drop -q; }; }`,
} as const;

const unseenMoves: ReadonlySet<string> = new Set(["mv of the file", "mv back"]);

const moves = { ...keeping, ...resolving };

const move = fc.record({
  kind: fc.constant("move" as const),
  what: fc.constantFrom(...(Object.keys(moves) as (keyof typeof moves)[])),
  by: runner,
  settles: fc.boolean(),
});

export const gitOperation = fc.oneof({ weight: 4, arbitrary: edit }, { weight: 5, arbitrary: move });
export type GitOperation = typeof gitOperation extends fc.Arbitrary<infer Value> ? Value : never;

/** Lines whose owner by blame is not their writer, in words: none if all is well. */
export async function runGitProgram(operations: readonly GitOperation[]): Promise<string[]> {
  const world = new World();
  try {
    await world.begin();
    for (const next of operations) await world.perform(next);
    return await world.findWrong(mayForget(operations));
  } finally {
    world.repo.remove();
  }
}

/** Where sides of a conflict were put together, or a file was moved without git and then changed, both unseen. */
function mayForget(operations: readonly GitOperation[]): boolean {
  const moves = operations.filter((operation) => operation.kind === "move");
  const isMovedUnseen = moves.some(({ what, by }) => by === "person" && unseenMoves.has(what));
  const isEditedUnseen = operations.some(({ kind, by }) => kind === "edit" && by === "U");
  return moves.some(({ what }) => what in resolving) || (isMovedUnseen && isEditedUnseen);
}

const conflictMarker = /^(?:<{7}|={7}|>{7}|\|{7})(?: |$)/;

class World {
  readonly repo: AuthorshipRepo = makeAuthorshipRepo();
  readonly #writers = new Map<string, Letter>();
  #calls = 0;
  #branches = 0;

  async begin(): Promise<void> {
    for (const name of ["one", "two"]) {
      this.#writers.set(`base of ${name}`, "U");
      this.repo.write(name, `base of ${name}`);
    }
    await this.repo.commit();
    this.repo.git("branch", "other");
  }

  async perform(operation: GitOperation): Promise<void> {
    if (operation.kind === "edit") return this.#edit(operation);
    const script = this.#script(moves[operation.what]);
    if (operation.by === "person") this.#bash(script);
    else this.#shell(() => this.#bash(script), operation.by === "shell" ? "A" : "B");
    if (operation.settles) await this.repo.settle();
  }

  #edit({ file: name, by, at, remove, viaShell }: Extract<GitOperation, { kind: "edit" }>): void {
    const { repo } = this;
    const path = repo.path(name);
    const before = existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
    const text = String.fromCodePoint(0x4e00 + this.#writers.size);
    this.#writers.set(text, by);
    const change = () => {
      const start = Math.min(at, before.length);
      repo.write(name, ...before.slice(0, start), text, ...before.slice(start + remove));
    };
    if (by === "U") change();
    else if (by === "K") {
      repo.snapshot(name);
      change();
      repo.humanSaves(name);
    } else if (viaShell) this.#shell(change, by);
    else repo.agentEdit(name, change, by === "A" ? agentA : agentB);
  }

  #shell(work: () => void, by: Letter): void {
    this.#calls += 1;
    const agent = by === "B" ? agentB : agentA;
    this.repo.shellBegins(`call-${this.#calls}`, agent);
    work();
    this.repo.shellEnds(`call-${this.#calls}`, agent);
  }

  #script(text: string): string {
    const branches = this.repo.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split("\n");
    const current = spawnSync("git", ["branch", "--show-current"], {
      cwd: this.repo.folder,
      encoding: "utf8",
    });
    const other = branches.filter((name) => name !== current.stdout.trim()).at(-1) ?? "main";
    const undo = ["rebase", "cherry-pick", "revert", "merge", "am"]
      .map((name) => `git ${name} --abort`)
      .join("; ");
    this.#branches += 1;
    const failed = `{ ${undo}; git diff --name-only --diff-filter=U | grep -q . && git reset -q --hard; }`;
    return `other=${other}; new=b${this.#branches}; { ${text}; } || ${failed}`;
  }

  #bash(script: string): void {
    spawnSync("bash", ["-c", script], {
      cwd: this.repo.folder,
      env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_EDITOR: "true" },
    });
  }

  /** Per branch and file. */
  async findWrong(mayForget: boolean): Promise<string[]> {
    const { repo } = this;
    repo.git("add", "-A");
    await repo.commitIndex("--allow-empty");
    const wrong: string[] = [];
    for (const branch of repo.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split("\n")) {
      repo.git("checkout", "-q", "-f", branch);
      for (const name of repo.git("ls-files").split("\n").filter(Boolean)) {
        const letters = repo.blame(name);
        const lines = repo.git("show", `HEAD:${name}`).split("\n");
        // where git left both sides of a conflict, nobody was seen choosing
        const mayLack = mayForget || lines.some((line) => conflictMarker.test(line));
        for (let index = 0; index < letters.length; index += 1) {
          // git wrote it, in whoever's call that was
          if (conflictMarker.test(lines[index] ?? "")) continue;
          const writer = this.#writers.get(lines[index] ?? "") ?? "U";
          const letter = letters[index];
          if (letter !== writer && !(mayLack && letter === "U"))
            wrong.push(`${branch}:${name}:${index + 1} ${lines[index]} is ${letter}, not ${writer}`);
        }
      }
    }
    return wrong;
  }
}
