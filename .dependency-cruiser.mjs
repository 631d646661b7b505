// The layers of src/, as in docs/ARCHITECTURE.md: imports go down only, and the two towers never meet
// below timeline/. Each rule says why it is there.

const layers = {
  base: [],
  system: ["base"],
  git: ["base", "system"],
  transcripts: ["base", "system"],
  agents: ["base", "system", "transcripts"],
  journal: ["base", "system", "git", "agents", "transcripts"],
  authorship: ["base", "system", "git", "agents", "transcripts", "journal"],
  checkpoints: ["base", "system", "git", "agents", "transcripts", "journal", "authorship"],
  blocks: ["base", "system"],
  nbd: ["base", "system", "blocks"],
  sandbox: ["base", "system", "blocks", "nbd"],
  timeline: [
    "base",
    "system",
    "git",
    "agents",
    "transcripts",
    "journal",
    "authorship",
    "checkpoints",
    "blocks",
    "nbd",
    "sandbox",
  ],
};
const lower = Object.keys(layers);
layers.server = [...lower];
layers.cli = [...lower, "server"];
layers.bin = [...lower, "cli"];

const downOnly = Object.entries(layers).map(([folder, allowed]) => ({
  name: `${folder}-imports-down-only`,
  comment: `${folder}/ may import ${["itself", ...allowed].join(", ")}: anything else turns the map in docs/ARCHITECTURE.md into a knot`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: "^src/", pathNot: `^src/(${[folder, ...allowed].join("|")})/` },
}));

export default {
  forbidden: [
    ...downOnly,
    {
      name: "only-system-touches-the-machine",
      comment:
        "files, processes, sockets, workers and random arrive as parameters from system/, so that every crash and race can be tested",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(system|bin)/" },
      to: {
        dependencyTypes: ["core"],
        path: "^(node:)?(fs|fs/promises|child_process|net|tls|http|https|dgram|worker_threads|os)$",
      },
    },
    {
      name: "base-does-no-io",
      comment: "base/ is values only; it imports nothing from Node but what computes",
      severity: "error",
      from: { path: "^src/base/" },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?(buffer|crypto|util)$" },
    },
    {
      name: "no-cycles",
      comment: "a cycle means two modules hold one idea",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true },
    },
    {
      name: "hook-path-is-lean",
      comment:
        "a hook runs on every edit: the entry must not pull in the CLI framework, a schema library or the HTTP stack",
      severity: "error",
      from: { path: "^src/bin/" },
      to: { path: "(@stricli|zod|hono|koffi|string-width)", reachable: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    parser: "swc",
    tsPreCompilationDeps: true,
    exclude: { dynamic: true },
    enhancedResolveOptions: { extensions: [".ts", ".js"] },
  },
};
