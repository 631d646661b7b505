// Covers src/git/hooks/**.
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openGit } from "../../src/git/git.ts";
import { gitHooks } from "../../src/git/hooks/hook-names.ts";
import { readHookSituations } from "../../src/git/hooks/hook-situation.ts";
import { planHook, planHookRemoval } from "../../src/git/hooks/plan.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { isExcludedByUs, setExcluded } from "../../src/git/worktree/exclude.ts";
import { applyFileChanges } from "../../src/system/files/file-changes.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";

let root: string;
let folder: string;
const env = {
  PATH: process.env["PATH"],
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "T",
  GIT_AUTHOR_EMAIL: "t@example.com",
  GIT_COMMITTER_NAME: "T",
  GIT_COMMITTER_EMAIL: "t@example.com",
};
const git = (...args: string[]) =>
  execFileSync("git", args, { cwd: folder, env, encoding: "utf8", stdio: "pipe" });
/** What was called, the hooks that ask for a message left out: they stand before every commit. */
const log = () =>
  (existsSync(join(root, "log")) ? readFileSync(join(root, "log"), "utf8") : "")
    .split(/^(?=keyframe: )/m)
    .filter((call) => !call.startsWith("keyframe: prepare-commit-msg "))
    .join("");
/** One standing for every hook, with exceptions. */
const all = (standing: string, except: Readonly<Record<string, string>> = {}) =>
  gitHooks.map(({ name }) => except[name] ?? standing);
const clearLog = () => rmSync(join(root, "log"), { force: true });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kf hooks'"));
  folder = join(root, "work");
  mkdirSync(folder);
  git("init", "-q", "-b", "main");
  // stands for Keyframe: writes down how it was called and what it was told
  writeFileSync(
    join(root, "program"),
    `#!/bin/sh\n{ echo "keyframe: $*"; cat; } >> '${root.replaceAll("'", "'\\''")}/log'\nexit 9\n`,
  );
  chmodSync(join(root, "program"), 0o755);
  writeFileSync(join(root, "pending"), "");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const quoted = (path: string) => `'${path.replaceAll("'", "'\\''")}'`;
const action = () => ({
  pendingPaths: `${quoted(join(root, "none"))}* ${quoted(root)}/pend*`,
  command: quoted(join(root, "program")),
  requires: quoted(join(root, "program")),
});

async function situations() {
  return readHookSituations(openGit(mustFindRepository(folder, nodeMachine), nodeProcesses, env), nodeFiles);
}

async function install(): Promise<string[]> {
  const plans = (await situations()).map((situation) => planHook(situation, action()));
  applyFileChanges(
    plans.flatMap((plan) => plan.changes),
    nodeFiles,
  );
  return plans.map((plan) => plan.standing);
}

async function uninstall(): Promise<void> {
  applyFileChanges((await situations()).flatMap(planHookRemoval), nodeFiles);
}

/** Every path below a directory with its bytes or link target and its mode. */
function contents(path: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(path, { recursive: true, encoding: "utf8" }).sort()) {
    const stat = lstatSync(join(path, name));
    if (stat.isSymbolicLink()) found[name] = `-> ${readlinkSync(join(path, name))}`;
    if (stat.isFile()) found[name] = `${stat.mode.toString(8)} ${readFileSync(join(path, name), "latin1")}`;
  }
  return found;
}

function writeHook(path: string, text: string, mode = 0o755): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

/** Says how it was called: own name, arguments, standard input. */
const recordingScripts: Record<string, (log: string) => string> = {
  "a plain shell": (path) => `#!/bin/sh\nset -eu\n{ echo "theirs: \${0##*/} $*"; cat; } >> ${path}\nexit 3\n`,
  bash: (path) =>
    `#!/usr/bin/env bash\nset -euo pipefail\n{ echo "theirs: $(basename "$0") $*"; cat; } >> ${path}\nexit 3`,
  perl: (path) =>
    `#!/usr/bin/perl\nuse File::Basename; open(my $f, ">>", ${path}); print $f "theirs: ", basename($0), " @ARGV\\n", <STDIN>; exit 3;\n`,
};

describe("git's hooks with Keyframe in them", () => {
  test.each(Object.entries(recordingScripts))(
    "a hook in %s keeps name, arguments, input and exit code, and comes back byte for byte",
    async (language, script) => {
      const path = language === "perl" ? `"${root}/log"` : quoted(join(root, "log"));
      const hooks = join(folder, ".git/hooks");
      for (const name of ["post-commit", "post-rewrite", "post-checkout"])
        writeHook(join(hooks, name), script(path));
      const before = contents(hooks);
      git("commit", "-q", "--allow-empty", "-m", "one");
      git("commit", "-q", "--allow-empty", "--amend", "-m", "two");
      const old = log().replaceAll(/[0-9a-f]{40}/g, "<id>");
      expect(old).toMatch(/^theirs: post-rewrite amend\n<id> <id>\n$/m);
      clearLog();
      expect(await install()).toEqual(all("off"));
      expect(await install()).toEqual(all("on"));
      git("commit", "-q", "--allow-empty", "-m", "one");
      git("commit", "-q", "--allow-empty", "--amend", "-m", "two");
      const both = log().replaceAll(/[0-9a-f]{40}/g, "<id>");
      expect(both).toBe(
        old
          .replaceAll("theirs: post-commit", "keyframe: post-commit\ntheirs: post-commit")
          .replace(
            "theirs: post-rewrite amend",
            "keyframe: post-rewrite amend\n<id> <id>\ntheirs: post-rewrite amend",
          ),
      );
      expect(spawnSync(join(hooks, "post-checkout"), ["a", "b", "1"], { cwd: folder, env }).status).toBe(3);
      await uninstall();
      expect(contents(hooks)).toEqual(before);
    },
  );

  test("are made where there were none, and go again", async () => {
    const before = contents(join(folder, ".git/hooks"));
    await install();
    git("commit", "-q", "--allow-empty", "-m", "one");
    expect(log()).toBe("keyframe: post-commit\n");
    await uninstall();
    expect(contents(join(folder, ".git/hooks"))).toEqual(before);
  });

  test("start nothing while nothing is pending, or when the program is gone", async () => {
    await install();
    rmSync(join(root, "pending"));
    git("commit", "-q", "--allow-empty", "-m", "one");
    writeFileSync(join(root, "pending"), "");
    rmSync(join(root, "program"));
    const result = spawnSync("git", ["commit", "-q", "--allow-empty", "-m", "two"], { cwd: folder, env });
    expect([result.status, result.stderr.toString(), log()]).toEqual([0, "", ""]);
  });

  test("leave an empty input empty, and a hook's own input whole", async () => {
    const seen = quoted(join(root, "seen"));
    writeHook(join(folder, ".git/hooks/post-rewrite"), `#!/bin/sh\ncat > ${seen}\n`);
    await install();
    const hook = join(folder, ".git/hooks/post-rewrite");
    for (const input of [
      "",
      "a b\n",
      "a $(touch x) `b` \\n 'c'\nd e\n",
      `${"0".repeat(81)}\n`.repeat(20_000),
    ]) {
      expect(spawnSync(hook, ["rebase"], { cwd: folder, env, input }).status).toBe(0);
      expect(readFileSync(join(root, "seen"), "utf8")).toBe(input);
    }
  });

  test("go on with a strict hook although Keyframe failed", async () => {
    for (const name of ["post-commit", "post-rewrite"]) {
      writeHook(
        join(folder, ".git/hooks", name),
        `#!/bin/sh -eu\necho "theirs ${name}" >> ${quoted(join(root, "log"))}\n`,
      );
    }
    await install();
    git("commit", "-q", "--allow-empty", "-m", "one");
    git("commit", "-q", "--allow-empty", "--amend", "-m", "two");
    expect(log().match(/^theirs .*/gm)).toEqual([
      "theirs post-commit",
      "theirs post-commit",
      "theirs post-rewrite",
    ]);
  });

  test("run a script that a hook links to, without writing to it", async () => {
    writeHook(join(folder, "scripts/hook.sh"), `#!/bin/sh\necho "theirs" >> ${quoted(join(root, "log"))}\n`);
    symlinkSync("../../scripts/hook.sh", join(folder, ".git/hooks/post-commit"));
    git("add", "-A");
    const before = contents(join(folder, ".git/hooks"));
    await install();
    git("commit", "-q", "-m", "one");
    expect(log()).toBe("keyframe: post-commit\ntheirs\n");
    expect(git("status", "--short")).toBe("");
    await uninstall();
    expect(contents(join(folder, ".git/hooks"))).toEqual(before);
  });

  test("do not wake a hook that was not executable", async () => {
    writeHook(
      join(folder, ".git/hooks/post-commit"),
      `#!/bin/sh\necho theirs >> ${quoted(join(root, "log"))}\n`,
      0o644,
    );
    const before = contents(join(folder, ".git/hooks"));
    await install();
    git("commit", "-q", "--allow-empty", "-m", "one");
    expect(log()).toBe("keyframe: post-commit\n");
    await uninstall();
    expect(contents(join(folder, ".git/hooks"))).toEqual(before);
  });

  test("keep what somebody added to a hook in the meantime", async () => {
    const hook = join(folder, ".git/hooks/post-commit");
    writeHook(hook, "#!/bin/sh\necho one\n");
    await install();
    writeFileSync(hook, `${readFileSync(hook, "utf8")}echo two\n`);
    await uninstall();
    expect(readFileSync(hook, "utf8")).toBe("#!/bin/sh\necho one\necho two\n");
  });

  test("are put back after another tool wrote its own over them", async () => {
    await install();
    const hook = join(folder, ".git/hooks/post-commit");
    writeHook(hook, `#!/bin/sh\necho tool >> ${quoted(join(root, "log"))}\n`);
    expect(await install()).toEqual(all("on", { "post-commit": "off" }));
    git("commit", "-q", "--allow-empty", "-m", "one");
    expect(log()).toBe("keyframe: post-commit\ntool\n");
  });

  test("run once after another tool moved ours aside for its own, and leave nothing behind", async () => {
    const hooks = join(folder, ".git/hooks");
    writeHook(join(hooks, "post-merge"), "#!/bin/sh\necho merged\n");
    await install();
    for (const name of ["post-commit", "post-merge"]) {
      execFileSync("mv", [join(hooks, name), join(hooks, `${name}.legacy`)]);
      writeHook(join(hooks, name), '#!/bin/bash\n[ ! -x "$0.legacy" ] || "$0.legacy" "$@"\n');
    }
    expect(await install()).toEqual(all("on", { "post-commit": "off", "post-merge": "off" }));
    git("commit", "-q", "--allow-empty", "-m", "one");
    expect(log()).toBe("keyframe: post-commit\n");
    await uninstall();
    const left = contents(hooks);
    expect(Object.keys(left).filter((name) => !name.endsWith(".sample"))).toEqual([
      "post-commit",
      "post-merge",
      "post-merge.legacy",
    ]);
    expect(left["post-merge.legacy"]).toBe("100755 #!/bin/sh\necho merged\n");
  });

  test("run once where another tool moved ours aside and runs it by another name", async () => {
    writeHook(join(folder, ".git/hooks/post-commit"), recordingScripts["perl"]?.(`"${root}/log"`) ?? "");
    await install();
    const hooks = join(folder, ".git/hooks");
    execFileSync("mv", [join(hooks, "post-commit"), join(hooks, "post-commit.legacy")]);
    writeHook(join(hooks, "post-commit"), '#!/bin/bash\n"$(dirname "$0")/post-commit.legacy" "$@"\n');
    git("commit", "-q", "--allow-empty", "-m", "one");
    expect(log()).toBe("keyframe: post-commit\n");
    // repaired: the hook in our care stands where the other tool looks for it
    clearLog();
    await install();
    git("commit", "-q", "--allow-empty", "-m", "two");
    expect(log()).toBe("keyframe: post-commit\ntheirs: post-commit.legacy \n");
    await uninstall();
    expect(existsSync(join(hooks, "keyframe-chained/post-commit"))).toBe(false);
  });

  test("reach husky's hook, which finds its own script by the name it is called with", async () => {
    const husky = join(folder, ".husky");
    writeHook(join(husky, "post-commit"), `echo "husky: $*" >> ${quoted(join(root, "log"))}\n`);
    writeHook(
      join(husky, "_/h"),
      '#!/bin/sh\ns=$(dirname "$(dirname "$0")")/$(basename "$0")\n[ ! -f "$s" ] || exec sh -e "$s" "$@"\n',
    );
    for (const name of ["post-commit", "post-checkout"]) {
      writeHook(join(husky, "_", name), '#!/usr/bin/env sh\n. "$(dirname "$0")/h"');
    }
    writeFileSync(join(husky, "_/.gitignore"), "*");
    git("config", "core.hooksPath", ".husky/_");
    const before = contents(husky);
    expect(await install()).toEqual(all("off"));
    git("add", "-A");
    git("commit", "-q", "-m", "one");
    expect(log()).toBe("keyframe: post-commit\nhusky: \n");
    expect(git("ls-files")).toBe(".husky/post-commit\n");
    await uninstall();
    expect(contents(husky)).toEqual(before);
  });

  test("that are committed, or that serve other repositories, are left alone", async () => {
    writeHook(join(folder, "githooks/post-commit"), "#!/bin/sh\n");
    git("add", "-A");
    git("config", "core.hooksPath", "githooks");
    expect(await install()).toEqual(all("off", { "post-commit": "committed" }));
    expect(readFileSync(join(folder, "githooks/post-commit"), "utf8")).toBe("#!/bin/sh\n");
    git("config", "core.hooksPath", join(root, "elsewhere"));
    expect(await install()).toEqual(all("shared"));
    expect(existsSync(join(root, "elsewhere"))).toBe(false);
  });

  test("of a linked worktree and a submodule are those of their repository", async () => {
    git("commit", "-q", "--allow-empty", "-m", "one");
    git("worktree", "add", "-q", join(root, "linked"));
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", folder, "sub");
    for (const [place, hooks] of [
      [join(root, "linked"), ".git/hooks"],
      [join(folder, "sub"), ".git/modules/sub/hooks"],
    ] as const) {
      const expected = join(folder, hooks, gitHooks[0]?.name ?? "");
      folder = place;
      expect((await situations())[0]).toMatchObject({ path: expected, place: "own" });
      await install();
      git("commit", "-q", "--allow-empty", "-m", "two");
      expect(log()).toBe("keyframe: post-commit\n");
      clearLog();
      folder = join(root, "work");
    }
  });
});

test("the list of hooks names each once", () => {
  expect(new Set(gitHooks.map((hook) => hook.name)).size).toBe(gitHooks.length);
});

describe("the block in info/exclude", () => {
  test.each(["", "# git's comment\n*.o\n", "no line end"])(
    "is added to %j, changed and taken out",
    (text) => {
      const one = setExcluded(text, [".claude/settings.local.json"]);
      expect(isExcludedByUs(one, ".claude/settings.local.json")).toBe(true);
      expect(setExcluded(one, [".claude/settings.local.json"])).toBe(one);
      const two = setExcluded(one, ["a [b]* !#c"]);
      expect(isExcludedByUs(two, ".claude/settings.local.json")).toBe(false);
      expect(setExcluded(two, []).trimEnd()).toBe(text.trimEnd());
    },
  );

  test("names exactly its paths", () => {
    writeFileSync(join(folder, ".git/info/exclude"), setExcluded("", ["a [b]* !#c", "d/e"]));
    for (const name of ["a [b]* !#c", "a b !#c", "d/e", "x/d/e", "e"]) {
      const ignored = spawnSync("git", ["check-ignore", "-q", name], { cwd: folder, env }).status === 0;
      expect([name, ignored]).toEqual([name, name === "a [b]* !#c" || name === "d/e"]);
    }
  });
});
