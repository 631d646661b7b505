import { describe, expect, test } from "vitest";
import { KeyframeError } from "../../src/base/errors.ts";
import { absent, type FileState, textFile } from "../../src/base/file-change.ts";
import type { Peer, PeerSettings } from "../../src/cli/peers/find-peers.ts";
import { peerNotes } from "../../src/cli/peers/peer-words.ts";
import { planGiveBack, planTakeOver } from "../../src/cli/peers/take-over.ts";
import { recordInstalled, restoreExactly } from "../../src/cli/setup/installed.ts";

const url = "https://example.com/a.git";
const paths = { entire: "/top/.entire/settings.local.json", "git-ai": "/home/a/.git-ai/config.json" };

function peerOf(name: Peer["name"], settings: Partial<PeerSettings> = {}, more: Partial<Peer> = {}): Peer {
  return {
    name,
    standing: "on",
    hooks: [],
    settings: { path: paths[name], workTreePath: undefined, state: absent, committed: false, ...settings },
    urls: [url],
    ...more,
  };
}

describe.each(["entire", "git-ai"] as const)("%s", (name) => {
  test.each([
    ["damaged", { state: textFile("{", 0o644) }],
    ["not an object", { state: textFile("[]", 0o644) }],
    ["a symlink", { state: { kind: "symlink", target: "/elsewhere" } }],
    ["read-only", { state: textFile("{}", 0o444) }],
    ["committed", { state: textFile("{}", 0o644), committed: true }],
    ["a directory", { problem: new KeyframeError("refused", "it is not a file") }],
  ] as const)("settings that are %s are refused by name", (_, settings) => {
    expect(() => planTakeOver(peerOf(name, settings))).toThrow(KeyframeError);
    expect(() => planTakeOver(peerOf(name, settings))).toThrow(paths[name]);
  });

  test("a peer that does not record is left alone, whatever its settings are", () => {
    const peer = peerOf(name, { state: textFile("{", 0o644) }, { standing: "off" });
    expect(planTakeOver(peer).changes).toEqual([]);
  });

  test.each([
    ["none", absent],
    ["blank", textFile("", 0o600)],
    ["some", textFile('{"a":1}', 0o640)],
  ] as const)("settings (%s) are given back with every byte and their mode", (_, state: FileState) => {
    const changes = planTakeOver(peerOf(name, { state })).changes;
    const installed = recordInstalled([], changes);
    const [entry] = installed;
    const [change] = changes;
    if (entry === undefined || change === undefined) throw new Error("nothing is written");
    const back = planGiveBack({ name, entry, state: change.after });
    expect(back.map((each) => restoreExactly(each, installed).after)).toEqual([state]);
    // taking over once more, as after a crash, keeps what was there at first
    expect(recordInstalled(installed, changes)[0]?.original).toEqual(state);
  });

  test("settings that are gone or damaged since are left as they are", () => {
    const [entry] = recordInstalled([], planTakeOver(peerOf(name)).changes);
    if (entry === undefined) throw new Error("nothing is written");
    for (const state of [absent, textFile("{", 0o644), textFile("{}\n", 0o644)])
      expect(planGiveBack({ name, entry, state })).toEqual([]);
  });
});

test("git-ai goes on where no remote can be named, and that is said", () => {
  const peer = peerOf("git-ai", {}, { urls: ["https://a:secret@example.com/a.git"] });
  const plan = planTakeOver(peer);
  expect(plan.changes).toEqual([]);
  expect(peerNotes([peer], [plan], { asked: true }).join("\n")).toContain("git-ai uninstall-hooks");
});

test("without --take-over both are named with what doubles", () => {
  const said = peerNotes([peerOf("entire"), peerOf("git-ai")], [], { asked: false }).join("\n");
  expect(said).toContain("Entire records here too");
  expect(said).toContain("Entire-Checkpoint");
  expect(said).toContain("refs/notes/ai");
  expect(said).toContain("keyframe enable --take-over");
});
