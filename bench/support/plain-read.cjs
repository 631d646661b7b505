// What reading the same bytes costs: bare Node, `git ls-tree` and `git cat-file` of the objects that standard input names.
//   node plain-read.cjs <repository> <ref>
const { execFileSync } = require("node:child_process");
const { readFileSync } = require("node:fs");

const [, , repository, ref] = process.argv;
const git = (args, input) => execFileSync("git", ["-C", repository, ...args], { input, maxBuffer: 1 << 30 });
git(["ls-tree", "-r", "-z", ref], "");
git(["cat-file", "--batch", "--buffer"], readFileSync(0));
