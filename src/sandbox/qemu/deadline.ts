import { KeyframeError } from "../../base/errors.ts";
import { startDetached } from "../../system/process/detached-process.ts";
import type { ProcessIdentity } from "../../system/process/process-table.ts";
import type { SandboxContext } from "../store/home.ts";

/**
 * A process that kills another one when its time is over, with nobody else alive, and ends with it. For machines that
 * get their time to live, or lose it, after they were started.
 */
export async function startDeadline(
  context: SandboxContext,
  target: ProcessIdentity,
  options: { readonly lifetimeMs: number; readonly folder: string },
): Promise<ProcessIdentity> {
  const { lifetimeMs, folder } = options;
  const args = [(lifetimeMs / 1000).toFixed(3), String(target.pid), target.startedAt];
  // perl: there wherever a guest was built, and a tenth of Node's size
  const child = await startDetached("perl", ["-e", program, ...args], {
    logPath: `${folder}/deadline.log`,
    cwd: "/",
  });
  const process = context.processTable.identify(child.pid);
  if (process !== undefined) return process;
  throw new KeyframeError("program-failed", "the process that limits the time of a machine has ended", {
    hint: `its log is ${folder}/deadline.log`,
  });
}

/** Looks once a second whether the process is still the one that was meant: pid and start time. */
const program = String.raw`
my ($seconds, $pid, $start) = @ARGV;
my $end = time + $seconds;
for (;;) {
  open my $stat, '<', "/proc/$pid/stat" or exit;
  my ($ticks) = (<$stat> // '') =~ /.*\) (?:\S+ ){19}(\S+)/s or exit;
  exit if $ticks ne $start;
  my $left = $end - time;
  if ($left <= 0) { kill 9, $pid; exit }
  select undef, undef, undef, $left < 1 ? $left : 1;
}`;
