// Covers src/workflows/race/**.
//
// The race of worktrees once more, in machines that are copies of one: an agent that speaks through Claude Code's hooks and asks
// the model fixes the failing test, a program breaks another, a third runs out of time. Under emulation this takes minutes, so
// it runs where KEYFRAME_STORY is set: npm run test:story.
import { spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sessionKey } from "../../src/authorship/note/keys.ts";
import { listSandboxes } from "../../src/sandbox/store/sandbox-store.ts";
import { listSnapshots } from "../../src/sandbox/store/snapshot-store.ts";
import { prepareMachine } from "../support/machine-programs.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

const isStory = Boolean(process.env["KEYFRAME_STORY"]);
const key = "the-real-key-of-the-user";
const session = "8b9f5a4e-0000-4000-8000-0000000000fe";
let lab: SandboxLab;
let repository: TestRepository;
let model: Server;
const asked: string[] = [];

beforeAll(async () => {
  if (!isStory) return;
  lab = openSandboxLab();
  await prepareMachine(lab);
  model = createServer((request, response) => {
    asked.push(String(request.headers["x-api-key"]));
    response.end("answer of the model\n");
  });
  await new Promise<void>((resolve) => model.listen(0, "127.0.0.1", resolve));
  repository = createTestRepository();
  repository.write("sum.txt", "wrong\n");
  repository.write("text.txt", "right\n");
  repository.write("check.sh", checkScript);
  repository.write("notes.txt", "committed\n");
  repository.write(".gitignore", "agent.sh\nreports/\nset-up\n");
  repository.write(".worktreeinclude", "agent.sh\n");
  repository.commit("start");
  expect(repository.keyframe(["enable", "--agent", "claude"]).code).toBe(0);
  repository.write("agent.sh", agentScript);
  // what the user is in the middle of
  repository.write("notes.txt", "committed\nstaged\n");
  repository.git("add", "notes.txt");
  repository.write("notes.txt", "committed\nstaged\nby hand\n");
  repository.write("loose.txt", "loose\n");
});
afterAll(async () => {
  model?.close();
  repository?.remove();
  await lab?.close();
});

/** Two tests, told in a report; needs what the setup command made. */
const checkScript = `set -eu
test -e set-up
mkdir -p reports
state() { grep -qx right $1 || printf '<failure/>'; }
printf '<testsuite><testcase name="sum">%s</testcase><testcase name="text">%s</testcase></testsuite>' \\
  "$(state sum.txt)" "$(state text.txt)" > reports/all.xml
grep -qx right sum.txt && grep -qx right text.txt
`;

/** One prompt, as Claude Code would tell it; its change is left uncommitted. */
const agentScript = `set -eu
id=${session}; here=$(pwd); transcript=$HOME/.claude/projects/$(echo "$here" | tr / -)/$id.jsonl
mkdir -p "$(dirname "$transcript")"
hook() { printf '{"session_id":"%s","transcript_path":"%s","cwd":"%s","hook_event_name":"%s"%s}' $id $transcript "$here" "$1" "\${2-}" | keyframe hook claude; }
line() { printf '%s\\n' "$1" >> "$transcript"; }
hook UserPromptSubmit ',"prompt":"'"$KEYFRAME_PROMPT"'"'
line '{"type":"user","sessionId":"'$id'","message":{"role":"user","content":"'"$KEYFRAME_PROMPT"'"}}'
where=\${ANTHROPIC_BASE_URL#http://}
exec 5<>/dev/tcp/\${where%:*}/\${where#*:}
printf 'POST /v1/messages HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer %s\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n' $ANTHROPIC_AUTH_TOKEN >&5
cat <&5
call=',"tool_name":"Write","tool_use_id":"w1","tool_input":{"file_path":"'$here/sum.txt'","content":"right"}'
hook PreToolUse "$call"; echo right > sum.txt; hook PostToolUse "$call"
line '{"type":"assistant","sessionId":"'$id'","message":{"id":"m1","role":"assistant","model":"claude-test-1","content":[{"type":"text","text":"did it"}],"usage":{"input_tokens":70,"output_tokens":7}}}'
hook Stop
`;

const env = () => ({
  ...repository.env,
  KEYFRAME_SANDBOX_HOME: lab.context.home.root,
  KEYFRAME_ACCELERATOR: "tcg",
  ANTHROPIC_API_KEY: key,
  ANTHROPIC_BASE_URL: `http://127.0.0.1:${(model.address() as AddressInfo).port}`,
});

/** The model lives in this process, so what asks it must not block it. */
async function keyframe(...args: string[]) {
  const child = spawn(process.execPath, [keyframeProgram, ...args], {
    cwd: repository.folder,
    env: env(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (piece: string) => {
      output[name] += piece;
    });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, ...output };
}

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await keyframe(...args);
  expect([args, code, stderr]).toEqual([args, 0, ""]);
  return stdout;
}

interface Row {
  readonly lane: {
    readonly name: string;
    readonly state: string;
    readonly problem?: string;
    readonly path?: string;
    readonly diff?: { readonly files: readonly string[] };
    readonly sessions?: readonly { readonly tool: string; readonly id: string; readonly tokens: number }[];
  };
  readonly passed: number;
  readonly tests: Readonly<Record<"fixed" | "broken", readonly string[]>>;
}

const state = () => [
  repository.git("status", "--porcelain"),
  repository.git("rev-parse", "HEAD"),
  repository.git("symbolic-ref", "HEAD"),
];

test.skipIf(!isStory)(
  "a race in machines without an image or a key is refused before anything is made",
  async () => {
    const refused = async (...args: string[]) => {
      const result = await keyframe("race", "start", "--prompt", "x", ...args);
      expect(result.code).not.toBe(0);
      return result.stderr;
    };
    expect(await refused("--in", "sandbox")).toContain("--in sandbox needs --image");
    expect(await refused("--image", "prepared")).toContain("need --in sandbox");
    expect(await refused("--in", "sandbox", "--image", "prepared", "--lane", "codex")).toContain(
      "OPENAI_API_KEY",
    );
    expect(listSandboxes(lab.context).map(({ name }) => name)).toEqual(["prep"]);
    expect(JSON.parse(await ok("race", "list", "--json"))).toEqual([]);
  },
);

test.skipIf(!isStory)(
  "in machines from one snapshot: one fixes, one breaks, one runs out of time; the winner is adopted, and nothing is left",
  async () => {
    const before = state();
    const snapshots = listSnapshots(lab.context).length;
    const words = ["race", "start", "--in", "sandbox", "--image", "prepared", "--prompt", "REPAIR sum"];
    const lanes = [
      "claude=bash agent.sh",
      "plain=echo wrong > text.txt; git commit -qam 'broke it'",
      "slow=sleep 900",
    ].flatMap((lane) => ["--lane", lane]);
    const checks = ["--setup", "touch set-up", "--check", "sh check.sh", "--check", "junit=reports/*.xml"];
    const raced = await keyframe(...words, ...lanes, ...checks, "--limit", "400s", "--json");
    expect([raced.code, raced.stdout.includes(key)]).toEqual([0, false]);
    const { id, rows } = JSON.parse(raced.stdout) as { readonly id: string; readonly rows: readonly Row[] };
    expect(
      rows.map(({ lane, passed, tests }) => [
        lane.name,
        lane.state,
        passed,
        tests.fixed,
        tests.broken,
        lane.diff?.files,
        lane.sessions?.map((each) => [each.tool, each.id, each.tokens]),
        lane.problem,
      ]),
    ).toEqual([
      ["claude", "done", 2, ["sum"], [], ["sum.txt"], [["claude", session, 77]], undefined],
      ["plain", "done", 0, [], ["text"], ["text.txt"], [], undefined],
      ["slow", "timed-out", 0, [], [], [], [], undefined],
    ]);
    // one request of one lane, with the key that no machine was given
    expect(asked).toEqual([key]);
    expect(state()).toEqual(before);
    // the machines went with the race
    expect([listSandboxes(lab.context).map(({ name }) => name), listSnapshots(lab.context).length]).toEqual([
      ["prep"],
      snapshots,
    ]);

    await ok("race", "adopt", "claude");
    const { blame } = JSON.parse(await ok("blame", "--json", "--", "sum.txt")) as {
      readonly blame: readonly { readonly owner: { readonly session?: string } | null }[];
    };
    expect(blame.map((line) => line.owner?.session)).toEqual([sessionKey({ tool: "claude", id: session })]);
    expect(repository.git("status", "--porcelain")).toBe(before[0]);
    const found = await ok("search", "REPAIR");
    expect(found).toContain("Claude Code  prompt");
    expect(found).toMatch(/tried on .* by echo \(race:.*\/plain\): 0 of 2 checks passed; broke text/);
    await ok("race", "adopt", "--undo");
    expect(state()).toEqual(before);

    await ok("race", "drop", "--force", id);
    expect(repository.git("for-each-ref", "refs/keyframe/runs", "refs/keyframe/race")).toBe("");
    expect(repository.keyframe(["timeline", "--all"]).stdout).not.toContain("race-");
  },
);
