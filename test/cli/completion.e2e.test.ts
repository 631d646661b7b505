// Covers src/cli/completion/**.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("bin/keyframe", `#!/bin/sh\nexec '${process.execPath}' '${keyframeProgram}' "$@"\n`);
  spawnSync("chmod", ["+x", join(repository.folder, "bin/keyframe")]);
});
afterEach(() => repository.remove());

const proposals = (path: readonly string[]) =>
  repository
    .keyframe(["complete-words", ...path, ""])
    .stdout.split("\n")
    .filter((name) => name !== "" && !name.startsWith("-"));

describe("completion", () => {
  test.each([
    [["en"], ["enable"]],
    [["enable", "--s"], ["--shared"]],
    [["enable", "--agent", "clau"], ["claude"]],
    [["enable", "--agent", "codex,cop"], ["codex,copilot"]],
    [["completion", "z"], ["zsh"]],
    [["no-such-command", ""], []],
  ])("proposes for %j", (words, expected) => {
    const { stdout, code } = repository.keyframe(["complete-words", ...words]);
    expect([stdout.split("\n").filter((line) => line !== ""), code]).toEqual([expected, 0]);
  });

  test("works in bash", () => {
    const script = `eval "$(keyframe completion bash)"
complete -p kf
COMP_WORDS=(keyframe enable --sh) COMP_CWORD=2
_keyframe_complete
printf '<%s>' "\${COMPREPLY[@]}"`;
    const env = { ...repository.env, PATH: `${join(repository.folder, "bin")}:${repository.env["PATH"]}` };
    const result = spawnSync("bash", ["--norc", "-c", script], { env, encoding: "utf8" });
    expect([result.stderr, result.stdout]).toEqual([
      "",
      "complete -o bashdefault -o default -F _keyframe_complete kf\n<--shared>",
    ]);
  });

  test("is printed for zsh and fish, and refused for others", () => {
    expect(repository.keyframe(["completion", "zsh"]).stdout).toContain(
      "compdef _keyframe_complete keyframe kf",
    );
    expect(repository.keyframe(["completion", "fish"]).stdout).toContain("complete -c keyframe");
    expect(repository.keyframe(["completion", "cmd"])).toMatchObject({ code: 2 });
  });

  test("every command has a help page with an example", () => {
    const without: string[] = [];
    const visit = (path: readonly string[]) => {
      const help = repository.keyframe([...path, "--help"]).stdout;
      const isGroup = path.length === 0 || /^COMMANDS$/m.test(help);
      if (!isGroup && !/Examples?:/.test(help)) without.push(path.join(" "));
      if (isGroup) for (const name of proposals(path)) visit([...path, name]);
    };
    visit([]);
    expect(proposals([])).toContain("enable");
    expect(without).toEqual([]);
  });
});
