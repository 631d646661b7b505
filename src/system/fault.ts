/**
 * Named places between two durable steps. What ships has none of them (no-fault.ts); in builds for tests a crash test
 * sets KEYFRAME_FAULT=<point>[:n] (the n-th pass, 1-based) and the process dies there as by `kill -9`, or
 * KEYFRAME_FAULT=<point>=ENOSPC and the step fails as on a full disk.
 */
export function fault(point: string): void {
  if (armed === undefined) return;
  if (point !== armed.point) return;
  armed.passesLeft -= 1;
  if (armed.passesLeft > 0) return;
  if (armed.errno === undefined) process.kill(process.pid, "SIGKILL");
  else throw Object.assign(new Error(`${armed.errno}: injected at ${point}`), { code: armed.errno });
}

const armed = parseFault(process.env["KEYFRAME_FAULT"]);

function parseFault(
  text: string | undefined,
): { point: string; passesLeft: number; errno: string | undefined } | undefined {
  if (text === undefined || text === "") return undefined;
  const match = /^([a-z0-9:-]+?)(?::(\d+))?(?:=(E[A-Z]+))?$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { point: match[1], passesLeft: Number(match[2] ?? 1), errno: match[3] };
}
