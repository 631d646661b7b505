import { delimiter, isAbsolute, join } from "node:path";
import { shellQuote } from "../../../base/text/shell-words.ts";
import { gitEnvironment } from "../../../git/git-environment.ts";
import type { FoundRepository } from "../../../git/repository.ts";
import { locateSandboxHome } from "../../../sandbox/store/home.ts";
import { ifReachable } from "../../../system/files/if-reachable.ts";
import { ownUserIds } from "../../../system/machine/machine-facts.ts";
import type { CliContext } from "../../command/context.ts";
import type { DoctorCheck, Finding, MachineContext } from "./check.ts";
import { listeningPorts } from "./listening-ports.ts";

export interface SecurityContext extends MachineContext {
  readonly place: FoundRepository;
}

/** What lies at a path and must be the user's alone: prompts, transcripts, uncommitted content, memory, tokens. */
const privateCheck: DoctorCheck<SecurityContext> = {
  name: "private",
  label: "private",
  find: (context) => privatePaths(context).flatMap((path) => whyOpen(path, context.cli)),
  repair: ({ cli }, findings) => {
    for (const { subject, repairable } of findings) {
      const stat = cli.files.statIfExists(subject);
      if (repairable && stat !== undefined) cli.files.setMode(subject, stat.mode & 0o700);
    }
  },
};

function privatePaths({ cli, place }: SecurityContext): string[] {
  const home = locateSandboxHome(cli.env);
  const ours =
    place.kind === "found"
      ? new Set([place.repository.commonDir, place.repository.gitDir])
      : new Set<string>();
  return [...[...ours].map((folder) => join(folder, "keyframe")), home, join(home, "api-token")];
}

function whyOpen(path: string, { files, env }: CliContext): Finding[] {
  const stat = ifReachable(() => files.statIfExists(path));
  if (stat === undefined) return [];
  if (ownUserIds(env)?.includes(stat.userId) === false)
    return [finding(path, "owner", "belongs to another user", "find out who made it, then remove it")];
  if ((stat.mode & 0o077) === 0) return [];
  const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
  const repair = `\`keyframe doctor --security --repair\`, or: chmod go= ${shellQuote(path)}`;
  return [{ ...finding(path, "mode", `others can look into it (mode ${mode})`, repair), repairable: true }];
}

const settingsCheck: DoctorCheck<SecurityContext> = {
  name: "settings",
  label: "settings",
  find: async (context) => [
    ...(context.place.kind === "refused"
      ? [finding(context.cli.cwd, "refused", context.place.error.message, context.place.error.hint ?? "")]
      : []),
    ...(await gitSettings(context)),
    ...searchPaths(context.cli),
  ],
};

interface Weakness {
  readonly key: string;
  readonly weakens: RegExp;
  readonly what: string;
  readonly repair: string;
}

const weaknesses: readonly Weakness[] = [
  {
    key: "safe.directory",
    weakens: /^\*$/,
    what: "git, and so Keyframe, uses repositories of any user",
    repair: "git config --global --unset-all safe.directory '\\*', and name the directories that you trust",
  },
  {
    key: "core.sharedRepository",
    weakens: /^(?:group|true|1|2|all|world|everybody|0?6[46]\d|0?7\d\d)$/,
    what: "others can read or write this repository's objects, snapshots of turns among them",
    repair: "git config --unset core.sharedRepository, where nobody has to share it",
  },
  {
    key: "remote.*.mirror",
    weakens: /^(?:true|yes|on|1)$/i,
    what: "a push sends every ref, the snapshots of turns too, which are not redacted",
    repair: "push branches instead of a mirror",
  },
];

/** Only what git reads in a place that it trusts. */
async function gitSettings({ cli, place }: SecurityContext): Promise<Finding[]> {
  const scope = place.kind === "found" ? [] : ["--global"];
  const { code, stdout } = await cli.processes.run(
    "git",
    ["config", ...scope, "-z", "--get-regexp", "^(safe.directory|core.sharedrepository|remote..*.mirror)$"],
    { cwd: place.kind === "found" ? cli.cwd : "/", env: gitEnvironment(cli.env) },
  );
  if (code !== 0) return [];
  return stdout
    .toString("utf8")
    .split("\0")
    .flatMap((entry) => {
      const [key = "", value = ""] = entry.split("\n");
      return weaknesses
        .filter((weakness) => matches(weakness, key) && weakness.weakens.test(value))
        .map(({ what, repair }) => finding(`${key}=${value}`, "git", what, repair));
    });
}

function matches({ key }: Weakness, name: string): boolean {
  const [first = "", last = ""] = key.toLowerCase().split("*");
  return key.includes("*") ? name.startsWith(first) && name.endsWith(last) : name === key.toLowerCase();
}

/** Directories out of which programs are started, or transcripts taken. */
function searchPaths({ env, files }: CliContext): Finding[] {
  return ["PATH", "KEYFRAME_TRANSCRIPTS"].flatMap((name) =>
    (env[name] ?? "")
      .split(delimiter)
      .filter((folder) => folder !== "")
      .flatMap((folder) => {
        const repair = `take it out of ${name}`;
        if (!isAbsolute(folder))
          return [finding(folder, name, "depends on the directory that one is in", repair)];
        const stat = ifReachable(() => files.statTargetIfExists(folder));
        const isOpen = stat !== undefined && (stat.mode & 0o002) !== 0;
        return isOpen ? [finding(folder, name, "anybody can put files there", repair)] : [];
      }),
  );
}

const socketsCheck: DoctorCheck<SecurityContext> = {
  name: "sockets",
  label: "sockets",
  find: ({ cli }) =>
    listeningPorts(cli.files, ownUserIds(cli.env) ?? []).map(({ address, command }) => {
      const open = command.includes("--without-token");
      const what = open
        ? "every user of the machine can use it without a token"
        : "every user of the machine can reach it; it asks for a token";
      return finding(
        address,
        "port",
        what,
        "a unix socket is the user's alone: keyframe serve --socket <path>",
      );
    }),
};

export const securityChecks: readonly DoctorCheck<SecurityContext>[] = [
  privateCheck,
  settingsCheck,
  socketsCheck,
];

function finding(subject: string, kind: string, what: string, repair: string): Finding {
  return { kind, subject, what, repair, repairable: false, damage: false };
}
