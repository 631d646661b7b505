import { describe, expect, test } from "vitest";
import { readBlameArguments } from "../../../src/authorship/blame/arguments.ts";

describe("the arguments of blame", () => {
  const cases: readonly [string, string, string][] = [
    ["f", "f", "text"],
    ["--json f", "f", "json"],
    ["-psw f", "-s -w f", "porcelain"],
    ["--line-p HEAD -- f", "HEAD -- f", "line-porcelain"],
    ["--incr f", "f", "incremental"],
    ["-wL 3,5 -L/a/,+2 -M5 -C f", "-w -L 3,5 -L/a/,+2 -M5 -C f", "text"],
    ["--contents - f", "--contents - f", "text"],
    [
      "--ignore-rev HEAD~1 --ignore-revs-file=x --progress f",
      "--ignore-rev HEAD~1 --ignore-revs-file=x f",
      "text",
    ],
    ["--since 3.weeks --date short --no-owner f", "--since 3.weeks --date short f", "text"],
    ["-S revs -- --json", "-S revs -- --json", "text"],
    ["--show-stats --color-lines f", "f", "text"],
  ];
  test.each(cases)("%s: origins are asked with `%s`", (line, origins, format) => {
    const read = readBlameArguments(line.split(" "));
    expect(read.originArguments.join(" ")).toBe(origins);
    expect(read.format).toBe(format);
  });

  test("a reversed blame asks for the origins at the start of its range", () => {
    const forward = (line: string) => readBlameArguments(line.split(" ")).originArguments.join(" ");
    expect(forward("--reverse A..B -wL3,5 -- f")).toBe("-w -L3,5 A -- f");
    expect(forward("--reverse --first-parent -s A f")).toBe("A -- f");
    expect(forward("--reverse ..B f")).toBe("HEAD -- f");
  });

  test("only our own options are kept from git", () => {
    expect(readBlameArguments(["--json", "-se", "--no-owner", "HEAD", "--", "--json"])).toMatchObject({
      gitArguments: ["-s", "-e", "HEAD", "--", "--json"],
      withOwners: false,
    });
  });

  test("standard input is read when it stands for the contents", () => {
    expect(readBlameArguments(["--contents", "-", "f"]).readsStandardInput).toBe(true);
    expect(readBlameArguments(["--contents=-", "f"]).readsStandardInput).toBe(true);
    expect(readBlameArguments(["--contents", "x", "f"]).readsStandardInput).toBe(false);
  });
});
