import { expect, test } from "vitest";
import { parseCheck } from "../../src/race/checks/check.ts";
import { parseCtrf, parseGoJson, parseJestJson } from "../../src/race/checks/json-reports.ts";
import { parseJunit } from "../../src/race/checks/junit.ts";
import { parseCargo, parseTap } from "../../src/race/checks/line-reports.ts";

const ctrf = JSON.stringify({
  results: {
    tool: { name: "any" },
    tests: [
      { name: "adds", suite: ["unit", "sums"], status: "passed", duration: 1 },
      { name: "breaks", suite: "unit", status: "failed", duration: 1 },
      { name: "waits", status: "pending", duration: 0 },
    ],
  },
});
const jest = JSON.stringify({
  testResults: [
    {
      name: "/lane/src/a.test.js",
      status: "failed",
      assertionResults: [
        { fullName: "group adds", status: "passed" },
        { fullName: "breaks", status: "failed" },
        { fullName: "later", status: "todo" },
      ],
    },
    { name: "/lane/src/b.test.js", status: "failed", message: "cannot be loaded", assertionResults: [] },
  ],
});
const go = `go: downloading nothing
{"Action":"run","Package":"m","Test":"TestAdds"}
{"Action":"output","Package":"m","Test":"TestAdds","Output":"--- FAIL: not really\\n"}
{"Action":"pass","Package":"m","Test":"TestAdds","Elapsed":0}
{"Action":"fail","Package":"m","Test":"TestBreaks/inside","Elapsed":0}
{"Action":"skip","Package":"m/sub","Test":"TestLater","Elapsed":0}
{"Action":"fail","Package":"m","Elapsed":0.002}
`;
const cargo = `   Compiling m v0.1.0 (/lane)
     Running unittests src/lib.rs (target/debug/deps/m-0123456789abcdef)

running 3 tests
test adds ... ok
test later ... ignored, for now
test group::breaks ... FAILED

   Doc-tests m
test src/lib.rs - (line 1) ... ok
`;
const tap = `TAP version 14
# Subtest: sums
    # Subtest: adds
    ok 1 - adds
    # Subtest: breaks
    not ok 2 - breaks
      ---
      message: 'ok 9 - is said in a text'
      ...
    1..2
not ok 1 - sums
ok 2 - later # SKIP not here
not ok 3 - idea # TODO
ok 4
1..4
`;

test.each([
  ["CTRF", parseCtrf(ctrf), { "unit > sums > adds": "passed", "unit > breaks": "failed", waits: "skipped" }],
  [
    "jest and vitest",
    parseJestJson(jest, "/lane"),
    {
      "src/a.test.js > group adds": "passed",
      "src/a.test.js > breaks": "failed",
      "src/a.test.js > later": "skipped",
      "src/b.test.js": "failed",
    },
  ],
  [
    "go",
    parseGoJson(go),
    { "m > TestAdds": "passed", "m > TestBreaks/inside": "failed", "m/sub > TestLater": "skipped" },
  ],
  [
    "cargo",
    parseCargo(cargo),
    {
      "src/lib.rs > adds": "passed",
      "src/lib.rs > later": "skipped",
      "src/lib.rs > group::breaks": "failed",
      "m > src/lib.rs - (line 1)": "passed",
    },
  ],
  [
    "TAP",
    parseTap(tap),
    { "sums > adds": "passed", "sums > breaks": "failed", sums: "failed", later: "skipped", idea: "skipped" },
  ],
  [
    "JUnit",
    parseJunit(
      '<testsuites><testsuite><testcase classname="a" name="b"/><testcase name="c"><error/></testcase></testsuite></testsuites>',
    ),
    { "a > b": "passed", c: "failed" },
  ],
])("%s: the state of each test by its id", (_, tests, expected) => {
  expect(Object.fromEntries(tests)).toEqual(expected);
});

test.each([
  ["npm test", { kind: "command", text: "npm test" }],
  ["junit=reports/*.xml", { kind: "junit", text: "reports/*.xml" }],
  ["ctrf=out.json", { kind: "ctrf", text: "out.json" }],
  ["vitest=npx vitest run", { kind: "vitest", text: "npx vitest run" }],
  ["CI=1 npm test", { kind: "command", text: "CI=1 npm test" }],
  ["mode=fast npm test", { kind: "command", text: "mode=fast npm test" }],
])("the check %s is read as meant", (text, expected) => {
  expect(parseCheck(text)).toEqual(expected);
});
