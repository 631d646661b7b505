// Covers src/workflows/machine/**.
//
// An agent in a machine: the working copy goes in, turns and commits come out with their owners and machines, and the key
// of the model stays here. The agent is a script that speaks through Claude Code's hooks. Under emulation this takes minutes, so
// it runs where KEYFRAME_STORY is set: npm run test:story.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sessionKey } from "../../src/authorship/note/keys.ts";
import { faultPointsInSource } from "../support/fault-points.ts";
import { prepareMachine } from "../support/machine-programs.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

const key = "the-real-key-of-the-user";
const session = "8b9f5a4e-0000-4000-8000-00000000000a";
let lab: SandboxLab;
let repository: TestRepository;
let model: Server;
let asked: { readonly url: string; readonly key: string }[];
const scratch = mkdtempSync(join(tmpdir(), "run-vm-"));

const isStory = Boolean(process.env["KEYFRAME_STORY"]);

beforeAll(async () => {
  if (!isStory) return;
  lab = openSandboxLab();
  await prepareMachine(lab);
  asked = [];
  model = createServer((request, response) => {
    asked.push({ url: request.url ?? "", key: String(request.headers["x-api-key"]) });
    response.end("answer of the model\n");
  });
  await new Promise<void>((resolve) => model.listen(0, "127.0.0.1", resolve));
  repository = createTestRepository();
  repository.write("kept.txt", "by nobody\n");
  repository.write(".gitignore", "agent.sh\n.env\nother.env\n");
  repository.write(".worktreeinclude", "agent.sh\n.env\n");
  repository.commit("start");
  expect(repository.keyframe(["enable", "--agent", "claude"]).code).toBe(0);
  repository.write("agent.sh", agentScript);
  repository.write(".env", "LOCAL=1\n");
  repository.write("other.env", "LOCAL=2\n");
  repository.write("kept.txt", "by nobody\nby hand\n");
  repository.write("staged.txt", "staged\n");
  repository.git("add", "staged.txt");
  repository.write("loose.txt", "loose\n");
});
afterAll(async () => {
  model?.close();
  repository?.remove();
  await lab?.close();
  rmSync(scratch, { recursive: true, force: true });
});

const prelude = `set -eu
id=${session}; here=$(pwd); transcript=$HOME/.claude/projects/$(echo "$here" | tr / -)/$id.jsonl
mkdir -p "$(dirname "$transcript")"
hook() { printf '{"session_id":"%s","transcript_path":"%s","cwd":"%s","hook_event_name":"%s"%s}' $id $transcript "$here" "$1" "\${2-}" | keyframe hook claude; }
line() { printf '%s\\n' "$1" >> "$transcript"; }
write() {
  call=',"tool_name":"Write","tool_use_id":"'$1'","tool_input":{"file_path":"'$here/$1'","content":"x"}'
  hook PreToolUse "$call"; printf "$2" > "$1"; hook PostToolUse "$call"
}
`;

const askModel = `where=\${ANTHROPIC_BASE_URL#http://}
exec 5<>/dev/tcp/\${where%:*}/\${where#*:}
printf 'POST /v1/messages HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer %s\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n' $ANTHROPIC_AUTH_TOKEN >&5
cat <&5
`;

/** A turn that is committed. */
const firstTurn = (ask: string) => `hook UserPromptSubmit ',"prompt":"first"'
line '{"type":"user","sessionId":"'$id'","message":{"role":"user","content":"first"}}'
${ask}write made.txt 'one\\ntwo\\n'
git add -A && { git diff --cached --quiet || git commit -qm 'in the machine'; }
line '{"type":"assistant","sessionId":"'$id'","message":{"id":"m1","role":"assistant","model":"claude-test-1","content":[{"type":"text","text":"did it"}],"usage":{"input_tokens":1,"output_tokens":1}}}'
hook Stop
touch /root/first-turn-ended
`;

/** And one that is not. */
const secondTurn = `hook UserPromptSubmit ',"prompt":"second"'
line '{"type":"user","sessionId":"'$id'","message":{"role":"user","content":"second"}}'
write pending.txt 'not committed\\n'
line '{"type":"assistant","sessionId":"'$id'","message":{"id":"m2","role":"assistant","model":"claude-test-1","content":[{"type":"text","text":"did more"}],"usage":{"input_tokens":1,"output_tokens":1}}}'
hook Stop
echo "memory of the machine" > /root/outside.txt
`;

/** Two turns, as Claude Code would tell them. */
const agentScript = `${prelude}echo $$ > /root/agent.pid
git status --short; cat kept.txt .env; ls other.env 2>&1 | tail -1; env
${firstTurn(askModel)}${secondTurn}exit 3
`;

/**
 * The agent ends a moment after the command that was killed, wherever it is: the turns that it did not end are played by a
 * second command, in the same conversation.
 */
const goOn = `${prelude}
for try in $(seq 120); do kill -0 "$(cat /root/agent.pid)" 2>/dev/null || break; sleep 1; done
if [ ! -e /root/first-turn-ended ]; then
${firstTurn("")}fi
if [ ! -e /root/outside.txt ]; then
${secondTurn}fi
`;

interface MomentJson {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly worktree?: string;
  readonly machine?: { readonly run: string; readonly snapshot?: string };
}

const env = () => ({
  ...repository.env,
  KEYFRAME_SANDBOX_HOME: lab.context.home.root,
  KEYFRAME_ACCELERATOR: "tcg",
  ANTHROPIC_API_KEY: key,
  ANTHROPIC_BASE_URL: `http://127.0.0.1:${(model.address() as AddressInfo).port}`,
});

/** Every step at which the command may be killed, and steps that find the disk full. */
const broken = [
  "machine:after-record",
  "machine:after-files",
  "machine:after-pause",
  "machine:after-fetch",
  "machine:after-moment",
  "machine:after-pause=ENOSPC",
  "branch:write-memory=ENOSPC",
] as const;

/** The model lives in this process, so what asks it must not block it. */
async function keyframe(...args: string[]) {
  return keyframeAt({ cwd: repository.folder, env: env() }, ...args);
}

interface Place {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

async function keyframeAt({ cwd, env }: Place, ...args: string[]) {
  const child = spawn(process.execPath, [keyframeProgram, ...args], {
    cwd,
    env,
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

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await keyframe(...args, "--json");
  expect([args, code, stderr]).toEqual([args, 0, ""]);
  return JSON.parse(stdout) as T;
}

test.skipIf(!isStory)(
  "what an agent does in a machine comes out with its owners, and each turn has its machine",
  async () => {
    const before = repository.git("status", "--porcelain");
    const head = repository.git("rev-parse", "HEAD");
    const run = await keyframe(
      "run",
      "--in",
      "sandbox",
      "--image",
      "prepared",
      "--name",
      "m",
      "--agent",
      "claude",
      "--",
      "bash",
      "agent.sh",
    );
    expect([run.code, run.stderr]).toEqual([3, expect.stringContaining("on keyframe/m; bring it here")]);

    // the working copy went in as it is; the key did not
    expect(
      run.stdout.startsWith(
        " M kept.txt\nA  staged.txt\n?? loose.txt\nby nobody\nby hand\nLOCAL=1\nls: cannot access 'other.env'",
      ),
    ).toBe(true);
    expect(run.stdout).toContain("answer of the model");
    expect(run.stdout + run.stderr).not.toContain(key);
    expect(asked).toEqual([{ url: "/v1/messages", key }]);

    // nothing here changed but the branch of the run
    expect([repository.git("status", "--porcelain"), repository.git("rev-parse", "HEAD")]).toEqual([
      before,
      head,
    ]);
    expect(repository.git("log", "--format=%s", "keyframe/m")).toBe("in the machine\nstart");
    const blame = JSON.parse((await keyframe("blame", "--json", "keyframe/m", "--", "made.txt")).stdout) as {
      readonly blame: readonly { readonly owner: { readonly session?: string } | null }[];
    };
    const owner = sessionKey({ tool: "claude", id: session });
    expect(blame.blame.map((line) => line.owner?.session)).toEqual([owner, owner]);
    const checkpoint = repository.git(
      "log",
      "-1",
      "--format=%(trailers:key=Entire-Checkpoint,valueonly)",
      "keyframe/m",
    );
    expect(repository.git("ls-tree", "-r", "--name-only", "entire/checkpoints/v1")).toContain(
      checkpoint.trim().slice(2),
    );

    const turns = (await json<MomentJson[]>("timeline", "--all")).filter(
      ({ worktree }) => worktree === "machine m",
    );
    expect(turns.map(({ title }) => title)).toEqual(["second", "first", "before the first prompt"]);
    const [second] = turns;
    expect(second?.machine).toMatchObject({ run: "m", snapshot: expect.stringMatching(/^sn-/) });
    expect((await keyframe("timeline", second?.id ?? "")).stdout).toContain(
      `${second?.machine?.snapshot} of run m`,
    );

    // a turn of the machine continues in a worktree: its uncommitted lines have their owner, and its conversation is there
    const [fork] = await json<
      { path: string; owned: string[]; sessions: { parent: string; transcriptPath: string }[] }[]
    >("fork", second?.id ?? "", "--name", "out");
    expect(readFileSync(join(fork?.path ?? "", "pending.txt"), "utf8")).toBe("not committed\n");
    expect([fork?.owned, fork?.sessions[0]?.parent]).toEqual([["pending.txt"], session]);
    expect(readFileSync(fork?.sessions[0]?.transcriptPath ?? "", "utf8")).toContain("did more");

    // and so does the machine of that moment, as a run of its own that can be gone on with
    const copy = await keyframe("fork", second?.id ?? "", "--in", "sandbox", "--name", "copy");
    expect([copy.code, copy.stderr, copy.stdout]).toEqual([
      0,
      "",
      expect.stringContaining("run --in sandbox --name copy -- claude -r"),
    ]);
    const script = `cat pending.txt; echo later > later.txt; git add later.txt; git commit -qm later`;
    const inside = await keyframe("run", "--in", "sandbox", "--name", "copy", "--", "bash", "-c", script);
    expect([inside.code, inside.stdout]).toEqual([0, "not committed\n"]);
    expect(repository.git("log", "--format=%s", "keyframe/copy")).toBe("later\nin the machine\nstart");
    expect(repository.git("log", "--format=%s", "keyframe/m")).toBe("in the machine\nstart");
  },
);

test("every step of a run in a machine is killed at", () => {
  const killed = broken.filter((point) => !point.includes("=")).sort();
  expect(faultPointsInSource("machine:")).toEqual(killed);
});

test.skipIf(!isStory).each(broken)(
  "broken off at %s, nothing here changes, and the next command in that machine brings everything out",
  async (point) => {
    const name = point.replace(/[^a-z]+/gi, "-").toLowerCase();
    const before = [repository.git("status", "--porcelain"), repository.git("rev-parse", "HEAD")];
    const start = ["run", "--in", "sandbox", "--image", "prepared", "--name", name, "--agent", "claude"];
    const first = await keyframeAt(
      { cwd: repository.folder, env: { ...env(), KEYFRAME_FAULT: point } },
      ...[...start, "--", "bash", "agent.sh"],
    );
    expect(first.code).not.toBe(0);
    expect([repository.git("status", "--porcelain"), repository.git("rev-parse", "HEAD")]).toEqual(before);

    // what was cut off before the agent began is made anew; what the agent did is there still
    const isUnmade = point === "machine:after-record" || point === "machine:after-files";
    const again = isUnmade
      ? await keyframe(...start, "--", "bash", "agent.sh")
      : await keyframe("run", "--in", "sandbox", "--name", name, "--", "bash", "-c", goOn);
    expect([again.code, again.stderr]).toEqual([
      isUnmade ? 3 : 0,
      expect.stringContaining(`on keyframe/${name}`),
    ]);
    expect(repository.git("log", "--format=%s", `keyframe/${name}`)).toBe("in the machine\nstart");
    const turns = (await json<MomentJson[]>("timeline", "--all")).filter(
      ({ worktree }) => worktree === `machine ${name}`,
    );
    // a turn that was cut off and said again is there twice
    const titles = [...new Set(turns.map(({ title }) => title))];
    expect(titles).toEqual(["second", "first", "before the first prompt"]);
    expect(turns[0]?.machine?.snapshot).toMatch(/^sn-/);
    expect((await keyframe("sandbox", "rm", name)).code).toBe(0);
  },
);

test.skipIf(!isStory)(
  "on another computer a clone and a store bring code, conversation and machine back; without the store the first two",
  async () => {
    const remote = join(scratch, "remote.git");
    repository.git("init", "-q", "--bare", remote);
    repository.git("remote", "add", "origin", remote);
    repository.git("push", "-q", "origin", "keyframe/m");
    const store = join(scratch, "store");
    const turns = await json<MomentJson[]>("timeline", "--all");
    const [turn] = turns.filter(({ worktree, title }) => worktree === "machine m" && title === "first");
    const unset = await keyframe("push", "--machine", turn?.id ?? "");
    expect(unset.stderr).toContain("no store for machines is set");
    repository.git("config", "keyframe.store", store);
    const sent = await json<{ machines: { snapshot: string; storedBytes: number }[] }>(
      "push",
      "--machine",
      turn?.id ?? "",
    );
    expect(sent.machines[0]?.snapshot).toBe(turn?.machine?.snapshot);
    // a machine of the same chain shares its blocks
    const again = await json<{ machines: { storedBytes: number }[] }>("push", "--machine", turn?.id ?? "");
    expect(again.machines[0]?.storedBytes).toBe(0);

    const home = join(scratch, "home-2");
    const clone = join(scratch, "clone");
    mkdirSync(home);
    repository.git("clone", "-q", "-b", "keyframe/m", remote, clone);
    const there: Place = {
      cwd: clone,
      env: {
        ...env(),
        HOME: home,
        XDG_CONFIG_HOME: home,
        KEYFRAME_SANDBOX_HOME: join(scratch, "sandboxes-2"),
      },
    };
    const without = await keyframeAt(there, "resume", "keyframe/m", "--machine");
    expect([without.code, without.stderr]).toEqual([1, expect.stringContaining("git config keyframe.store")]);
    expect(without.stdout).toContain(`claude -r ${session}`);
    expect(existsSync(join(clone, "made.txt"))).toBe(true);

    execFileSync("git", ["-C", clone, "config", "keyframe.store", store]);
    try {
      const resumed = await keyframeAt(there, "resume", "keyframe/m", "--machine", "--name", "again");
      expect([resumed.code, resumed.stderr]).toEqual([0, ""]);
      expect(resumed.stdout).toContain(`keyframe run --in sandbox --name again -- claude -r ${session}`);
      const script = `cat made.txt; git commit -q --amend -m amended; git log --format=%s`;
      const inside = await keyframeAt(
        there,
        "run",
        "--in",
        "sandbox",
        "--name",
        "again",
        "--",
        "bash",
        "-c",
        script,
      );
      expect([inside.code, inside.stdout]).toEqual([0, "one\ntwo\namended\nstart\n"]);
      // its lines lead to the session of the first computer still
      const { stdout } = await keyframeAt(there, "blame", "--json", "keyframe/again", "--", "made.txt");
      const { blame } = JSON.parse(stdout) as { blame: { owner: { session?: string } | null }[] };
      const owner = sessionKey({ tool: "claude", id: session });
      expect(blame.map((line) => line.owner?.session)).toEqual([owner, owner]);
    } finally {
      // with the machine goes the server of what it was fetched from, whose mount is below its directory
      await keyframeAt(there, "sandbox", "rm", "again");
      await keyframeAt(there, "snapshot", "rm", "--force", turn?.machine?.snapshot ?? "");
    }
  },
);

test.skipIf(!isStory)(
  "a machine without a key for its agent, an image or a known agent is refused before anything is made",
  async () => {
    const refused = async (...args: string[]) => {
      const result = await keyframe("run", "--in", "sandbox", ...args, "--", "claude");
      expect(result.code).not.toBe(0);
      return result.stderr;
    };
    expect(await refused()).toContain("--in sandbox needs --image");
    expect(await refused("--image", "prepared", "--agent", "aider")).toContain("how aider reaches its model");
    expect(await refused("--image", "prepared", "--agent", "codex")).toContain("OPENAI_API_KEY");
    expect(await refused("--image", "prepared", "--name", "m")).toContain("the machine of m is there");
    expect(existsSync(join(repository.folder, ".git/keyframe/runs/codex.json"))).toBe(false);
  },
);
