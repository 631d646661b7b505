import { expect, test } from "vitest";
import { type LogDefaults, readLogArguments } from "../../src/cli/log/log-arguments.ts";
import { readLogPieces } from "../../src/cli/log/log-stream.ts";

const none: LogDefaults = { pretty: undefined, named: new Map(), decorates: false };
const a = "a".repeat(40);
const b = "b".repeat(40);

async function cut(text: string, mode: "header" | "marked" = "header"): Promise<string> {
  async function* source() {
    yield Buffer.from(text.slice(0, 7));
    yield Buffer.from(text.slice(7));
  }
  let result = "";
  for await (const piece of readLogPieces(source(), mode)) {
    result += "text" in piece ? piece.text.toString() : `{${piece.prefix}${piece.commit.slice(0, 2)}}`;
  }
  return result;
}

test("owners go to the end of each commit's header", async () => {
  const message = `    commit ${b}\n    text`;
  expect(await cut(`commit ${a}\nAuthor: x\n\n${message}\n\ncommit ${b} (HEAD)\nAuthor: y\n\n    m\n`)).toBe(
    `commit ${a}\nAuthor: x\n{aa}\n${message}\n\ncommit ${b} (HEAD)\nAuthor: y\n{bb}\n    m\n`,
  );
});

test("in a graph they carry its lines, and content that looks like a commit is left alone", async () => {
  expect(
    await cut(`*   commit ${a}\n|\\  Merge: x\n| | \n| |  commit ${b}\n| * commit ${b}\n|   D: 1\n|   \n`),
  ).toBe(
    `*   commit ${a}\n|\\  Merge: x\n{| | aa}| | \n| |  commit ${b}\n| * commit ${b}\n|   D: 1\n{|   bb}|   \n`,
  );
});

test("colours do not hide a commit", async () => {
  expect(await cut(`\u001b[33mcommit ${a}\u001b[m\nAuthor: x\n\n`)).toContain("{aa}\n");
});

test("formats of one's own carry the id between marks, which are taken out", async () => {
  expect(await cut(`* \u001e${a}\u001fsubject\n| body\n`, "marked")).toBe("* subject{aa}\n| body\n");
});

test("formats are asked of git so that commits can be found, and machine formats stay as they are", () => {
  const read = (line: string, defaults = none) => {
    const { mode, gitArguments } = readLogArguments(line.split(" "), defaults);
    return `${mode}: ${gitArguments.join(" ").replace(/\p{Cc}/gu, "~")}`;
  };
  expect(read("-3 --graph -- --oneline")).toBe("header: -3 --graph --pretty=medium -- --oneline");
  expect(read("--pretty=fuller main")).toBe("header: main --pretty=fuller");
  expect(read("--oneline -2")).toBe("marked: -2 --format=tformat:~%H~%C(auto)%h %s");
  expect(read("--oneline --decorate")).toBe("marked: --decorate --format=tformat:~%H~%C(auto)%h%d %s");
  expect(read("--format=%an")).toBe("marked: --format=tformat:~%H~%an");
  expect(read("--pretty=email -1")).toBe("plain: --pretty=email -1");
  expect(read("-z -1")).toBe("plain: -z -1");
  expect(read("--json -1")).toBe("marked: -s -1 --format=tformat:~%H~");
  expect(read("-1", { ...none, pretty: "mine", named: new Map([["mine", "format:%s"]]) })).toBe(
    "marked: -1 --format=tformat:~%H~%s",
  );
  // a name that stands for itself must not go round in circles
  expect(read("-1", { ...none, pretty: "loop", named: new Map([["loop", "loop"]]) })).toBe("plain: -1");
});
