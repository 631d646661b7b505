// Covers src/authorship/stats/**, src/cli/stats/**.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestRepository, noteText, type TestRepository } from "../../support/test-repository.ts";

let repository: TestRepository;
const commits: Record<string, string> = {};
const stats = (...args: string[]) => {
  const { code, stdout, stderr } = repository.keyframe(["stats", "--json", ...args]);
  expect([code, stderr]).toEqual([0, ""]);
  const json = JSON.parse(stdout);
  return json.range_stats ?? json;
};
const numbers = (json: Record<string, number>) => ({
  added: json["git_diff_added_lines"],
  deleted: json["git_diff_deleted_lines"],
  agents: json["ai_additions"],
  humans: json["human_additions"],
  unknown: json["unknown_additions"],
  accepted: json["ai_accepted"],
  overridden: json["ai_overridden"],
});
const lines = (...text: string[]) => `${text.join("\n")}\n`;

/**
 * planets: base - nine - edit --------- merge - rename
 *                    \- side (b.txt) --/
 */
beforeAll(() => {
  repository = createTestRepository();
  repository.write("planets.txt", "");
  repository.write("package-lock.json", "{}\n");
  commits["base"] = repository.commit("base");
  repository.write(
    "planets.txt",
    lines("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune", "Pluto"),
  );
  repository.write("package-lock.json", "{\n}\n");
  commits["nine"] = repository.commit("nine");
  // claims reach far outside of what the commit adds, and overlap: no line may count twice
  repository.note(
    commits["nine"],
    noteText(
      {
        "planets.txt": ["s_1::t_1 1-4000000000", "s_1::t_2 2-5", "h_1 6-9"],
        "no such file": ["s_2::t_1 1-500"],
      },
      { keyframe: { sessions: { s_1: { overridden_lines: 3 } } } },
    ),
  );
  repository.git("checkout", "-q", "-b", "side");
  repository.write("sub/b.txt", lines("one", "two", "three"));
  commits["side"] = repository.commit("side");
  repository.note(commits["side"], noteText({ "sub/b.txt": ["s_2::t_3 1-2"] }));
  repository.git("checkout", "-q", "main");
  repository.write(
    "planets.txt",
    lines("Mercury", "Venus!", "earth", "Jupiter", "Saturn", "Uranus", "Neptune", "Pluto"),
  );
  commits["edit"] = repository.commit("edit");
  repository.note(commits["edit"], noteText({ "planets.txt": ["s_1::t_4 2"] }));
  repository.git("merge", "-q", "--no-ff", "-m", "merge", "side");
  commits["merge"] = repository.git("rev-parse", "HEAD");
  repository.git("mv", "planets.txt", "worlds.txt");
  commits["rename"] = repository.commit("rename");
});
afterAll(() => repository.remove());

describe("stats of one commit", () => {
  test("clip claims to the lines the commit adds, each once, without lock files", () => {
    expect(numbers(stats(commits["nine"] ?? ""))).toEqual({
      added: 9,
      deleted: 0,
      agents: 5,
      humans: 4,
      unknown: 0,
      accepted: 5,
      overridden: 0,
    });
  });

  test("name agents, sessions and humans, and what was overridden before the commit", () => {
    const json = stats(commits["nine"] ?? "");
    expect(json.tool_model_breakdown).toEqual({
      "claude::claude-sonnet-4-5-20250929": { ai_additions: 5, ai_accepted: 5, ai_overridden: 0 },
    });
    expect(json.sessions).toMatchObject([
      { session: "s_1", conversation: "c-1", ai_overridden_before_commit: 3 },
    ]);
    expect(json.humans).toEqual({ "Zoë Lind <zoe@example.com>": 4 });
  });

  test("count nothing for a lock file, an empty file or a pure rename", () => {
    expect(numbers(stats(commits["base"] ?? ""))).toMatchObject({ added: 0 });
    expect(numbers(stats("--ignore", "nothing", commits["rename"] ?? ""))).toMatchObject({
      added: 0,
      deleted: 0,
    });
  });

  test("of a merge are what it brought, with the owners of the commits that wrote it", () => {
    expect(numbers(stats(commits["merge"] ?? ""))).toMatchObject({
      added: 3,
      agents: 2,
      unknown: 1,
      accepted: 2,
    });
  });
});

describe("stats of a range", () => {
  test("follow agents' lines to its end: kept, overridden by another, reworked by the same, deleted", () => {
    // of lines 1-5: 2 was reworked by the same session, 3 overridden by an unknown, 4 deleted
    expect(numbers(stats(`${commits["base"]}..HEAD`))).toEqual({
      added: 14,
      deleted: 3,
      agents: 8,
      humans: 4,
      unknown: 2,
      accepted: 5,
      overridden: 1,
    });
  });

  test("give files their last name, and folders the sum of what is below", () => {
    const json = stats("4b825dc642cb6eb9a060e54bf8d69288fbee4904..HEAD");
    expect(Object.keys(json.files)).toEqual(["sub/b.txt", "worlds.txt"]);
    expect(json.files["worlds.txt"]).toMatchObject({ added: 11, agents: 6, accepted: 3, overridden: 1 });
    expect(json.directories["."]).toMatchObject({ added: 14 });
    expect(json.directories["sub"]).toMatchObject({ added: 3, agents: 2 });
  });

  test("name the commits without a note and their authors", () => {
    const json = JSON.parse(repository.keyframe(["stats", "--json", `${commits["base"]}..HEAD`]).stdout);
    expect(json.authorship_stats).toMatchObject({
      total_commits: 5,
      commits_with_authorship: 3,
      commits_without_authorship: [commits["merge"], commits["rename"]],
    });
  });

  test("are the same in a bare clone", () => {
    const bare = `${repository.folder}.git`;
    repository.git("clone", "-q", "--bare", repository.folder, bare);
    repository.gitBytes(["fetch", "-q", repository.folder, "refs/notes/ai:refs/notes/ai"], { cwd: bare });
    const json = repository.keyframe(["stats", "--json", `${commits["base"]}..HEAD`], { cwd: bare });
    expect(json.stdout).toBe(repository.keyframe(["stats", "--json", `${commits["base"]}..HEAD`]).stdout);
  });

  test("that is wrong is a usage error, and an unknown commit is not found", () => {
    expect(repository.keyframe(["stats", "a...b"])).toMatchObject({ code: 2 });
    expect(repository.keyframe(["stats", "nope"])).toMatchObject({ code: 3, stdout: "" });
    expect(repository.keyframe(["stats", "--output=/tmp/x"]).code).toBe(2);
  });
});

describe("ignored files", () => {
  test("come from .gitattributes, may be brought back by it, and are added to by --ignore", () => {
    const other = createTestRepository();
    other.write(
      ".gitattributes",
      "*.gen linguist-generated\nkeep.gen -linguist-generated\nyarn.lock linguist-generated=false\n",
    );
    for (const name of ["a.gen", "keep.gen", "yarn.lock", "Cargo.lock", "a.txt", "docs/x/b.md"])
      other.write(name, "1\n");
    other.commit("one");
    const files = (...args: string[]) =>
      Object.keys(JSON.parse(other.keyframe(["stats", "--json", ...args]).stdout).files);
    const all = files();
    const some = files("--ignore", "docs/**", "--ignore", "*.txt");
    other.remove();
    expect(all).toEqual([".gitattributes", "a.txt", "docs/x/b.md", "keep.gen", "yarn.lock"]);
    expect(some).toEqual([".gitattributes", "keep.gen", "yarn.lock"]);
  });
});

test("the table shows the bar, its legend and each owner", () => {
  expect(
    repository.keyframe(["stats", `${commits["base"]}..HEAD`, "--by", "file"]).stdout,
  ).toMatchInlineSnapshot(`
    "b5ae3c0d4cfd9cd8205b55b7e473d75b4282e0b9..HEAD  5 commits, 3 with an authorship note

    ██████████████████████████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒·········
    █ agents 57%   ▒ known humans 29%   · unknown 14%

                         added  accepted           overridden
    claude/sonnet-4-5        6         3  1 + 3 before commit
    codex/gpt-5.1-codex      2         2                    0
    Zoë Lind                 4
    unknown                  2
    all                     14
    3 lines deleted

    file                    added  agents  humans  unknown  accepted  overridden
    worlds.txt  █████▒▒▒▒·     11       6       4        1         3           1
    sub/b.txt   ███████···      3       2       0        1         2           0
    "
  `);
});

describe("--since", () => {
  const trend = (...args: string[]) => repository.keyframe(["stats", "--since", "2026-01-01", ...args]);

  test("counts by weeks, and the weeks add up to the whole", () => {
    const json = JSON.parse(trend("--json").stdout) as {
      weeks: Record<string, number>[];
      total: Record<string, number>;
    };
    expect(json.weeks.map(({ week }) => week)).toEqual(["2025-12-29"]);
    for (const name of ["commits", "added", "agents", "humans", "unknown", "accepted"])
      expect(json.weeks.reduce((sum, week) => sum + (week[name] ?? 0), 0)).toBe(json.total[name]);
    const whole = numbers(stats(`${repository.git("hash-object", "-t", "tree", "/dev/null")}..HEAD`));
    expect(json.total).toMatchObject(whole);
  });

  test("as a table, a picture and a badge", () => {
    expect(trend().stdout).toMatch(/week .*\n2025-12-29 /);
    expect(trend("--format", "svg").stdout).toMatch(/^<svg .*<polyline points="[\d.,]+".*<\/svg>\n$/s);
    expect(trend("--format", "badge").stdout).toMatch(/lines by agents: \d+%/);
    expect(repository.keyframe(["stats", "--format", "svg"]).code).toBe(2);
    expect(trend("HEAD~1..HEAD").code).toBe(2);
  });
});
