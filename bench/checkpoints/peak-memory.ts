import { readFileSync } from "node:fs";

/** Largest resident size of this process so far; 0 where the system does not tell. */
export function peakMemoryBytes(): number {
  try {
    const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return process.memoryUsage().rss; // no /proc: the present size stands in
  }
}
