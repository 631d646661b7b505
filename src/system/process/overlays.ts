import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { shellQuote } from "../../base/text/shell-words.ts";
import type { Processes } from "./processes.ts";

/**
 * A directory that a command sees as a copy of its own: what it reads falls through to `lower`, what it writes goes to
 * `upper`. Mounted in a namespace of the command's, so nothing is visible outside and nothing has to be unmounted.
 */
export interface OverlayMount {
  /** Where the command sees it; inside an earlier one of the same list it need not exist. */
  readonly target: string;
  /** Must not change while it is used. */
  readonly lower: string;
  readonly upper: string;
  /** An empty directory beside `upper`, for the kernel. */
  readonly work: string;
}

/** How overlays can be mounted here: as root, or in a user namespace, where a directory of the lower cannot be renamed. */
export type OverlayMeans = "root" | "user namespace";

const processNamespace = ["--pid", "--fork", "--kill-child", "--mount-proc"];
const mountOptions: Readonly<Record<OverlayMeans, string>> = {
  root: "redirect_dir=on,index=off",
  "user namespace": "userxattr",
};

/** Tried in a directory of the file system that is meant: kernel, policy, user and file system all have a say. */
export function probeOverlays(directory: string): OverlayMeans | undefined {
  if (process.platform !== "linux") return undefined;
  const scratch = mkdtempSync(join(directory, ".overlay-"));
  const [lower, upper, work, target] = ["lower", "upper", "work", "target"].map((name) =>
    join(scratch, name),
  );
  if (lower === undefined || upper === undefined || work === undefined || target === undefined)
    return undefined;
  try {
    for (const path of [lower, upper, work, target]) mkdirSync(path);
    const overlay = { lower, upper, work, target };
    return (["root", "user namespace"] as const).find((means) => {
      const [program = "", ...args] = withOverlays(
        { means, overlays: [overlay] },
        ["touch", join(target, "x")],
        {
          contained: true,
        },
      );
      return spawnSync(program, args, { stdio: "ignore", timeout: 5000 }).status === 0;
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** True if the kernel's list of options can hold the path. */
export function canOverlay(path: string): boolean {
  return !/[,:\\"\n]/.test(path);
}

export interface OverlayView {
  readonly means: OverlayMeans;
  readonly overlays: readonly OverlayMount[];
}

/**
 * The command line that runs a command where the overlays are mounted. `contained`: all that it starts ends with it;
 * otherwise what it leaves running goes on, and still sees them.
 */
export function withOverlays(
  { means, overlays }: OverlayView,
  command: readonly string[],
  { contained }: { readonly contained: boolean },
): string[] {
  const mounts = overlays.map(({ target, lower, upper, work }) => {
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work},${mountOptions[means]}`;
    const at = shellQuote(target);
    return `mkdir -p ${at} && mount -n -t overlay overlay -o ${shellQuote(options)} ${at} || exit 125`;
  });
  // the directory that the command begins in was there before the mounts, and is below them
  const script = ["here=$PWD", ...mounts, 'cd "$here" || exit 125'].join("\n");
  const asUser = [`--map-user=${process.getuid?.() ?? 0}`, `--map-group=${process.getgid?.() ?? 0}`];
  const namespaces = ["--mount", ...(contained ? processNamespace : [])];
  return means === "root"
    ? ["unshare", ...namespaces, "sh", "-c", `${script}\nexec "$@"`, "sh", ...command]
    : [
        ...["unshare", "--user", "--map-root-user", ...namespaces],
        // as root of the namespace to mount, then as the user again: agents refuse to work as root
        ...["sh", "-c", `${script}\nexec unshare --user ${asUser.join(" ")} -- "$@"`, "sh", ...command],
      ];
}

/** The same programs, each started where the overlays are mounted. */
export function processesIn(processes: Processes, view: OverlayView): Processes {
  const inside = (program: string, args: readonly string[]): [string, string[]] => {
    const [first = program, ...rest] = withOverlays(view, [program, ...args], { contained: false });
    return [first, rest];
  };
  return {
    run: (program, args, options) => processes.run(...inside(program, args), options),
    runSync: (program, args, options) => processes.runSync(...inside(program, args), options),
    start: (program, args, options) => processes.start(...inside(program, args), options),
    attach: (program, args, options) => processes.attach(...inside(program, args), options),
  };
}
