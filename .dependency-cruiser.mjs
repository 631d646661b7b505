// The layers of src/, as in docs/ARCHITECTURE.md: imports go down only, and the two towers never meet
// below workflows/. Inside a layer, rooms (its folders) import each other in one direction. Each rule says why it is there.

const layers = {
  base: [],
  system: ["base"],
  git: ["base", "system"],
  state: ["base", "system", "git"],
  trace: ["base", "system", "git"],
  transcripts: ["base", "system"],
  agents: ["base", "system", "transcripts"],
  journal: ["base", "system", "git", "state", "agents", "transcripts"],
  authorship: ["base", "system", "git", "state", "agents", "transcripts", "journal"],
  checkpoints: ["base", "system", "git", "state", "agents", "transcripts", "journal", "authorship"],
  blocks: ["base", "system"],
  nbd: ["base", "system", "blocks"],
  sandbox: ["base", "system", "blocks", "nbd"],
  timeline: [
    "base",
    "system",
    "git",
    "state",
    "agents",
    "transcripts",
    "journal",
    "authorship",
    "checkpoints",
    "blocks",
    "nbd",
    "sandbox",
  ],
  race: [
    "base",
    "system",
    "git",
    "state",
    "agents",
    "transcripts",
    "journal",
    "authorship",
    "checkpoints",
    "timeline",
  ],
  workflows: [
    "base",
    "system",
    "git",
    "state",
    "trace",
    "agents",
    "transcripts",
    "journal",
    "authorship",
    "checkpoints",
    "blocks",
    "nbd",
    "sandbox",
    "timeline",
    "race",
  ],
};
const lower = Object.keys(layers);
layers.mcp = [...lower];
layers.lsp = [...lower];
layers.acp = [...lower];
layers.server = [...lower, "mcp"];
layers.cli = [...lower, "mcp", "lsp", "acp", "server"];
layers.bin = [...lower, "cli"];

// The rooms of each layer: what a room is for, and the rooms of the same layer that it may import. Files directly in the
// layer's folder are its vocabulary (ids, limits, interfaces); every room may import them and they import no room,
// except where an entry is listed for the layer itself.
const rooms = {
  "agents/conversations": ["where agents keep conversations, and what their transcripts tell a hook", []],
  "agents/hooks": ["payloads of hooks become events", ["conversations"]],
  "agents/peers": ["other tools that record what agents do: their settings, text in, text out", ["settings"]],
  "agents/settings": ["our hooks in the settings of agents: text in, text out", ["hooks"]],
  "authorship/rules": [
    "who owns a line after an edit: pure functions over lines, so that a model can test them",
    [],
  ],
  "authorship/note": ["the authorship log of a commit: format, keys, notes ref", ["rules"]],
  "authorship/edits": ["two states of a path become an event of the journal", ["rules", "note"]],
  "authorship/shell": [
    "what a command did to the working tree, and which lines git brought in",
    ["note", "edits"],
  ],
  "authorship/record": ["a hook's event goes to what records its kind", ["rules", "note", "edits", "shell"]],
  "authorship/carry": [
    "where the lines of a commit come from that nobody was seen writing",
    ["rules", "note", "blame"],
  ],
  "authorship/takeover": [
    "pending owners that another tool knows, brought into the journal",
    ["note", "edits"],
  ],
  "authorship/settle": [
    "journal to notes, when a commit is made or found",
    ["rules", "note", "edits", "shell", "carry"],
  ],
  "authorship/blame": ["owners of the lines of one file", ["rules", "note", "edits"]],
  "authorship/diff": ["owners beside the lines of a diff", ["rules", "blame"]],
  "authorship/stats/changes": [
    "what one commit changed, kept, so that it is counted once",
    ["rules", "note"],
  ],
  "authorship/stats": ["counts over commits and ranges", ["rules", "note", "stats/changes"]],
  "checkpoints/record": ["the content of one checkpoint: metadata, tokens, trailers; no git access", []],
  "checkpoints/stores": ["the three layouts in refs, behind one interface", ["record"]],
  "checkpoints/sessions": ["sessions in progress and their phases", ["record"]],
  "checkpoints/query": ["reading: list, explain, search, find", ["record", "stores"]],
  "checkpoints/capture": ["redacted transcript and files of a turn", ["record", "stores", "sessions"]],
  "checkpoints/commit": [
    "what a commit links and stores",
    ["record", "stores", "sessions", "query", "capture"],
  ],
  "checkpoints/turn": [
    "what the end of a turn stores",
    ["record", "stores", "sessions", "capture", "commit"],
  ],
  "checkpoints/remote": ["what is known of a remote, and how much one push sends", ["record", "stores"]],
  "checkpoints/remote/fetch": [
    "checkpoints of a remote: first what listing needs, the rest when it is asked for",
    ["record", "stores", "query", "remote"],
  ],
  "checkpoints/remote/join": [
    "two histories of one store made one, so that no push is refused for ever",
    ["record", "stores", "remote", "remote/fetch"],
  ],
  "checkpoints/remote/push": [
    "what a remote lacks, sent after it was joined",
    ["record", "stores", "remote", "remote/fetch", "remote/join"],
  ],
  "checkpoints/resume": ["a conversation brought back", ["record", "stores", "query", "remote/fetch"]],
  "checkpoints/rewind": [
    "files and conversation of an earlier turn",
    ["record", "stores", "sessions", "query", "capture"],
  ],
  "checkpoints/migrate": ["one layout to another", ["record", "stores", "query"]],
  "checkpoints/clean": [
    "what can be deleted",
    ["record", "sessions", "query", "query/search", "capture", "commit", "rewind"],
  ],
  "checkpoints/remove": ["content taken out of the history of every store", ["record", "query"]],
  "checkpoints/doctor": ["what is damaged, and its repair", ["record", "stores", "query", "migrate"]],
  "git/objects": ["objects read and written in bulk", []],
  "git/refs": ["refs and notes moved by compare-and-swap", ["objects"]],
  "git/remote": ["fetch and push by URL", ["objects", "refs"]],
  "git/worktree": ["index, worktrees, files checked out, and what git does in them", ["refs"]],
  "git/hooks": ["git's own hooks: installed, watched, removed", []],
  "system/files": ["files: durable writes, sparse files, changes", []],
  "system/process": ["processes: started, identified, read", ["files"]],
  "system/locks": ["one writer at a time, across processes", ["files", "process", "net"]],
  "system/net": ["sockets and HTTP", ["files"]],
  "system/machine": ["everything above as one value that is handed down", ["files", "process"]],
  "blocks/formats": ["codecs of manifest, layer and frame; no I/O", []],
  "blocks/stores/interface": ["what an object store is, and the wrappers that any store takes", []],
  "blocks/stores/s3": ["S3 and its settings", ["stores/interface"]],
  "blocks/stores": ["object stores by address", ["formats", "stores/interface", "stores/s3"]],
  "blocks/cache": ["the chunk cache before a slow source", []],
  "blocks/overlay": ["a writable disk over an image", ["cache"]],
  "blocks/images/repository": ["where images lie, and leases on them", ["formats", "stores/interface"]],
  "blocks/images/read": ["verified reads", ["formats", "stores/interface", "cache", "images/repository"]],
  "blocks/images/publish": [
    "layers written, then the manifest",
    ["formats", "stores/interface", "images/repository", "images/read"],
  ],
  "blocks/images": [
    "operations on whole images",
    ["formats", "stores", "stores/interface", "images/repository", "images/read", "images/publish"],
  ],
  "sandbox/store": ["records, snapshots and disks on the host's disk", []],
  "sandbox/tar": ["tars of root file systems and copies, read and written as streams", []],
  "sandbox/image": ["a bootable image from a source", ["store", "tar"]],
  "sandbox/qemu": ["the QEMU process and QMP", ["store", "image"]],
  "sandbox/guest": ["the conversation with the program in the guest", ["store", "qemu", "tar"]],
  "sandbox/memory": ["memory images and their differences", ["store"]],
  "sandbox/lazy": ["disk and memory that arrive while they are used", ["store", "memory"]],
  "sandbox/network": ["what a guest may reach, ports, names", ["store", "qemu", "guest"]],
  "sandbox/removal": [
    "what is deleted and what nothing needs any more: sandboxes, snapshots, layers of disks",
    ["store", "qemu", "memory", "lazy", "network"],
  ],
  "sandbox/lifecycle": [
    "start, branch, pause, resume",
    ["store", "image", "qemu", "guest", "memory", "lazy", "network", "removal"],
  ],
  "sandbox/snapshot": ["snapshots as a tree: describe, verify, compact", ["store", "memory", "removal"]],
  "sandbox/transfer": ["snapshots to and from other machines", ["store", "memory"]],
  "sandbox/sidecar": ["the process beside each machine", ["store", "qemu", "guest", "network", "lifecycle"]],
  "server/requests": ["what every request passes, whatever its interface", []],
  "server/context": ["what routes share", ["requests"]],
  "server/e2b": ["the interface of the e2b package", ["requests", "context"]],
  "server/page": ["the page and what it asks", ["requests"]],
  "server/rest": ["the interface of our own", ["requests", "context", "e2b"]],
  "race/lanes": ["the place that a lane works in, and what came of it", []],
  "race/checks": ["what is run in each lane, and how two results differ", []],
  "race/run": ["lanes made, run, checked and removed", ["lanes", "checks"]],
  "race/adopt": ["a lane's commits brought to the user's branch", []],
  "timeline/machines": ["what agents that ran in machines left here", []],
  "timeline/moments": ["moments listed, found by a name, described", ["machines"]],
  "timeline/fork": ["a worktree that continues from a moment", ["machines"]],
  "workflows/summarize": ["what a program of the user's says of a conversation, stored with it", []],
  "workflows/race": ["lanes of a race in machines of their own", ["machine"]],
  "workflows/machine": ["an agent run in a machine: what goes in, what comes out", ["run"]],
  "journal/heads": ["the newest state of each path, so that no hook reads the whole log", []],
  "journal/log": ["events appended, read back, and replayed after a crash", ["heads"]],
  "journal/calls": ["what is under way while an agent's call runs", []],
  "journal/pending": ["what no commit has taken yet, of all worktrees", ["heads", "log", "calls"]],
  "journal/upkeep": ["the journal pruned, reset and verified", ["heads", "log"]],
  "base/text": ["text: cleaned, cut into lines, quoted, matched", []],
  "checkpoints/query/search": ["the index of conversations", ["record", "stores", "query"]],
  "transcripts/redaction": ["secrets found and taken out", []],
  "transcripts/relate": ["which of two copies of a conversation holds more", ["redaction"]],
  "transcripts/compact": ["the short form of a conversation, per agent", []],
  "transcripts/scan": ["facts of a conversation, per agent", ["compact"]],
};

/** One rule a room: imports into other rooms of its layer, beyond those listed, are errors. */
const oneWayBetweenRooms = Object.entries(rooms).map(([room, [why, uses]]) => {
  const layer = room.split("/")[0];
  const others = Object.keys(rooms)
    .filter((other) => other.startsWith(`${layer}/`) && other !== room)
    .filter((other) => !uses.includes(other.slice(layer.length + 1)))
    .map((other) => `${other}/[^/]+$`);
  return {
    name: `${room.replaceAll("/", "-")}-imports-its-rooms-only`,
    comment: `${room}/: ${why}. It may import ${uses.length === 0 ? "no other room of its layer" : uses.join(", ")}`,
    severity: "error",
    from: { path: `^src/${room}/[^/]+$` },
    to: { path: `^src/(${others.join("|") || "-"})` },
  };
});

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
    ...oneWayBetweenRooms,
    {
      name: "commands-below-the-application",
      comment:
        "cli/command and cli/output are what commands share: they import no command, and no command imports the application",
      severity: "error",
      from: { path: "^src/cli/(command|output)/" },
      to: { path: "^src/cli/(?!(command|output)/)" },
    },
    {
      name: "checks-below-doctor",
      comment:
        "a check of doctor finds and repairs; the command that runs all of them prints, so no check imports it",
      severity: "error",
      from: { path: "^src/cli/doctor/checks/" },
      to: { path: "^src/cli/doctor/[^/]+$" },
    },
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
      to: { path: "(@stricli|zod|hono|koffi|string-width|vscode-)", reachable: true },
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
