import { collectFile, readGuestSpace } from "../../sandbox/guest/files.ts";
import type { SandboxRecord } from "../../sandbox/store/records.ts";
import type { ServerContext } from "../context/context.ts";

/** Between the two looks at the processors' time. */
const sampleMs = 200;

/** What a sandbox uses now, as the package's `getMetrics` shows it. */
export async function readSandboxUsage(server: ServerContext, record: SandboxRecord): Promise<object> {
  const { clock } = server.sandboxContext;
  return server.sessions.use(record, async (guest) => {
    const read = async (path: string) => (await collectFile(guest, path)).toString("latin1");
    const before = parseProcessorTimes(await read("/proc/stat"));
    await clock.sleep(sampleMs);
    const after = parseProcessorTimes(await read("/proc/stat"));
    const memory = parseMemoryInfo(await read("/proc/meminfo"));
    const disk = await readGuestSpace(guest, "/");
    const total = after.total - before.total;
    const nowMs = clock.nowMs();
    return {
      timestamp: new Date(nowMs).toISOString(),
      timestampUnix: Math.floor(nowMs / 1000),
      cpuCount: record.shape.cpus,
      cpuUsedPct: total <= 0 ? 0 : Math.round((1000 * (after.busy - before.busy)) / total) / 10,
      memTotal: memory.totalBytes,
      memUsed: memory.totalBytes - memory.availableBytes,
      memCache: memory.cachedBytes,
      diskTotal: disk.totalBytes,
      diskUsed: disk.totalBytes - disk.freeBytes,
    };
  });
}

/** The first line of /proc/stat: user, nice, system, idle, iowait, ... in ticks. */
export function parseProcessorTimes(text: string): { readonly total: number; readonly busy: number } {
  const ticks = (/^cpu +(.*)$/m.exec(text)?.[1] ?? "").split(" ").map(Number);
  const total = ticks.slice(0, 8).reduce((sum, value) => sum + (Number.isFinite(value) ? value : 0), 0);
  return { total, busy: total - (ticks[3] ?? 0) - (ticks[4] ?? 0) };
}

export function parseMemoryInfo(text: string) {
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
  return {
    totalBytes: bytes("MemTotal"),
    availableBytes: bytes("MemAvailable"),
    cachedBytes: bytes("Cached"),
  };
}
