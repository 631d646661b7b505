import { addTest, type TestState } from "./check.ts";

/**
 * TAP 13 and 14: tests by the names of the subtests around them. A subtest's lines are indented and come before its own
 * result; `# Subtest:` names it ahead.
 */
export function parseTap(text: string): Map<string, TestState> {
  const tests = new Map<string, TestState>();
  const around: { readonly indent: number; readonly name: string }[] = [];
  for (const line of text.split("\n")) {
    const indent = line.length - line.trimStart().length;
    const subtest = /^\s*# Subtest: (.*)$/.exec(line)?.[1];
    if (subtest !== undefined) {
      while ((around.at(-1)?.indent ?? -1) >= indent) around.pop();
      around.push({ indent, name: subtest });
      continue;
    }
    const [, not, rest = ""] = /^\s*(not )?ok\b(?:\s+\d+)?(?:\s+-)?\s*(.*)$/.exec(line) ?? [];
    if (!/^\s*(?:not )?ok\b/.test(line)) continue;
    const [, name = "", directive = ""] = /^(.*?)(?:\s+#\s*(skip|todo)\b.*)?$/i.exec(rest) ?? [];
    while ((around.at(-1)?.indent ?? -1) >= indent) around.pop();
    const id = [...around.map((each) => each.name), name].filter(Boolean).join(" > ");
    addTest(tests, id, directive !== "" ? "skipped" : not === undefined ? "passed" : "failed");
  }
  return tests;
}

/** What `cargo test` prints: tests by the program that held them and their path. */
export function parseCargo(text: string): Map<string, TestState> {
  const tests = new Map<string, TestState>();
  const states: Readonly<Record<string, TestState>> = { ok: "passed", FAILED: "failed", ignored: "skipped" };
  let program = "";
  for (const line of text.split("\n")) {
    const running = /^\s*(?:Running (?:unittests )?(\S+) \(|Doc-tests (\S+))/.exec(line);
    if (running !== null) program = running[1] ?? running[2] ?? "";
    const [, name, word = ""] = /^test (.+?) \.\.\. (ok|FAILED|ignored)\b/.exec(line) ?? [];
    const state = states[word];
    if (name !== undefined && state !== undefined)
      addTest(tests, [program, name].filter(Boolean).join(" > "), state);
  }
  return tests;
}
