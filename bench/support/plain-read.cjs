// What reading the same bytes costs: bare Node, `git ls-tree` and `git cat-file` of the objects that a file names.
//   node plain-read.cjs <repository> <ref> <file>
const { execFileSync } = require("node:child_process");
const { readFileSync } = require("node:fs");

const [, , repository, ref, objects] = process.argv;
const git = (args, input) => execFileSync("git", ["-C", repository, ...args], { input, maxBuffer: 1 << 30 });
git(["ls-tree", "-r", "-z", ref], "");
git(["cat-file", "--batch", "--buffer"], readFileSync(objects));
