// Covers src/checkpoints/sessions/**.
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  listSessionStates,
  readSessionState,
  sessionStatePath,
  updateSessionState,
} from "../../../src/checkpoints/sessions/directory.ts";
import {
  countOfState,
  encodeSessionState,
  listOfState,
  parseSessionState,
} from "../../../src/checkpoints/sessions/state.ts";
import { nodeClock } from "../../../src/system/clock.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { nodeProcessTable } from "../../../src/system/process/process-table.ts";

const another = `{
  "session_id": "6f7c",
  "cli_version": "v0.4.4",
  "base_commit": "dab5bac2",
  "attribution_base_commit": "dab5bac2",
  "worktree_path": "/home/u/a\\u0026b",
  "started_at": "2026-02-16T12:01:04.123456+01:00",
  "phase": "active",
  "turn_id": "0123456789ab",
  "last_interaction_time": "2026-02-16T12:02:00Z",
  "checkpoint_count": 0,
  "checkpoint_transcript_start": 12,
  "files_touched": [
    "src/a.ts"
  ],
  "agent_type": "Claude Code",
  "skill_events": [
    {
      "n": 1.0
    }
  ],
  "first_prompt": "make \\u003cit\\u003e"
}
`;

describe("a state of another tool", () => {
  test("is written back to the byte, fields that only it knows included", () => {
    expect(encodeSessionState(parseSessionState(Buffer.from(another))).toString()).toBe(another);
  });

  test("of an older version has its positions and phase folded into the present ones", () => {
    const state = parseSessionState(
      Buffer.from(
        '{"session_id":"x","base_commit":"abc","phase":"active_committed","condensed_transcript_lines":7}',
      ),
    );
    expect(countOfState(state, "checkpoint_transcript_start")).toBe(7);
    expect(state.get("attribution_base_commit")).toBe("abc");
    expect(state.get("phase")).toBe("active");
    expect(encodeSessionState(state).toString()).not.toContain("condensed_transcript_lines");
  });

  test.each(["", "[]", "7", '{"session_id":1}', "{", `${"[".repeat(200)}`])(
    "that is %j is damaged",
    (text) => {
      expect(() => parseSessionState(Buffer.from(text))).toThrow(
        expect.objectContaining({ code: "damaged" }),
      );
    },
  );
});

describe("the folder of states", () => {
  let folder: string;
  const deps = { files: nodeFiles, clock: nodeClock, processTable: nodeProcessTable };
  const repository = () => ({ workTree: folder, gitDir: folder, commonDir: folder });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kf-sessions-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("keeps states for their owner only, and changes one at a time", () => {
    const where = { repository: repository(), id: "s-1" };
    for (let count = 0; count < 5; count += 1) {
      updateSessionState(deps, where, (state) =>
        (state ?? new Map([["session_id", "s-1"]])).set(
          "checkpoint_count",
          countOfState(state ?? new Map(), "checkpoint_count") + 1,
        ),
      );
    }
    const state = readSessionState(deps, repository(), "s-1");
    expect(state && countOfState(state, "checkpoint_count")).toBe(5);
    expect(statSync(sessionStatePath(repository(), "s-1")).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "entire-sessions")).mode & 0o777).toBe(0o750);
  });

  test("lists what can be read and says what cannot, and changes nothing by it", () => {
    mkdirSync(join(folder, "entire-sessions"));
    writeFileSync(join(folder, "entire-sessions/good.json"), another);
    writeFileSync(join(folder, "entire-sessions/bad.json"), "{");
    writeFileSync(join(folder, "entire-sessions/bad.json.123.1.tmp"), "{");
    mkdirSync(join(folder, "entire-sessions/folder.json"));
    const listed = listSessionStates(deps, repository());
    expect(listed.map(({ id, problem }) => [id, problem === undefined])).toEqual([
      ["bad", false],
      ["folder", false],
      ["good", true],
    ]);
    expect(listed[2]?.state && listOfState(listed[2].state, "files_touched")).toEqual(["src/a.ts"]);
  });

  test.each(["../x", "a/b", "", ".hidden", "a..b", "x".repeat(300)])(
    "takes no id such as %j for a file name",
    (id) => {
      expect(() => sessionStatePath(repository(), id)).toThrow(expect.objectContaining({ code: "refused" }));
    },
  );
});
