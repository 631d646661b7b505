import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type Browser, type CDPSession, chromium, type Page } from "playwright-core";
import { sha256Hex } from "../../src/base/digest.ts";
import { commitMessage } from "../../src/checkpoints/stores/commit-message.ts";
import { makeCheckpointRepository } from "../../test/support/checkpoint-repository.ts";
import {
  checkpointWrite,
  generatedCheckpoint,
  generatedId,
} from "../../test/support/generate-checkpoints.ts";
import { startPageServer } from "../../test/support/page-server.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";

const chromiumPath = "/usr/bin/chromium";
const pageDirectory = fileURLToPath(new URL("../../dist/web", import.meta.url));

/** The page in Debian's Chromium, over generated data: sizes, first paint, and what scrolling costs. */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const size = bundleSize();
  if (!existsSync(chromiumPath)) return [size];
  const world = await makeWorld(
    tiny ? { commits: 300, lines: 4000, turns: 60 } : { commits: 10_000, lines: 50_000, turns: 10_000 },
  );
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"],
  });
  try {
    return [
      size,
      ...(await measurePaint(browser, world.url, tiny ? 3 : 9)),
      await measureTimeline(browser, world),
      ...(await measureScrolling(browser, `${world.url}`, {
        hash: `/file/long.ts`,
        name: `file of ${world.lines} lines`,
        selector: ".row.line",
      })),
      ...(await measureScrolling(browser, `${world.url}`, {
        hash: `/checkpoint/${world.long}`,
        name: `transcript of ${Math.round(world.transcriptBytes / 1e5) / 10} MB`,
        selector: ".entry",
      })),
    ];
  } finally {
    await browser.close();
    world.remove();
  }
}

interface World {
  readonly url: string;
  readonly folder: string;
  readonly commits: number;
  readonly lines: number;
  /** The checkpoint with the long conversation. */
  readonly long: string;
  readonly transcriptBytes: number;
  remove(): void;
}

async function makeWorld({
  commits,
  lines,
  turns,
}: {
  commits: number;
  lines: number;
  turns: number;
}): Promise<World> {
  const repository = makeCheckpointRepository();
  const transcript = shownTranscript(turns);
  const long = generatedId(commits + 1);
  const writes = Array.from({ length: Math.min(590, commits) }, (_, n) => generatedCheckpoint(n, 2));
  writes.push(checkpointWrite(long, [{ sessionId: "long", createdAt: "2026-01-01T00:00:00Z", transcript }]));
  const message = commitMessage("v1", "checkpoint");
  await repository.stores.v1.write(writes, { message, nowSeconds: 1_770_000_000 });
  const data = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const stream = Array.from({ length: commits }, (_, n) => [
    `commit refs/heads/main\nauthor Bench <b@example.com> ${1_760_000_000 + n * 60} +0000\ncommitter Bench <b@example.com> ${1_760_000_000 + n * 60} +0000\n`,
    data(`Change number ${n}\n\nEntire-Checkpoint: ${generatedId(n)}\n`),
    n === 0
      ? `M 100644 inline long.ts\n${data(Array.from({ length: lines }, (_, at) => `export const value${at} = ${at}; // a line of usual length\n`).join(""))}`
      : "",
    `M 100644 inline src/${n % 50}.ts\n${data(`export const change = ${n};\n`)}`,
  ]);
  execFileSync("git", ["-C", repository.folder, "fast-import", "--quiet", "--force"], {
    input: stream.flat().join(""),
  });
  repository.sh("symbolic-ref", "HEAD", "refs/heads/main");
  repository.sh("reset", "-q", "--hard");
  const server = await startPageServer({ folder: repository.folder, env: process.env }, "--without-token");
  return {
    url: server.url,
    folder: repository.folder,
    commits,
    lines,
    long,
    transcriptBytes: transcript.length,
    remove() {
      server.stop();
      repository.remove();
    },
  };
}

/** A conversation of which all is shown: a prompt, a command with two kilobytes of output, an answer a turn. */
function shownTranscript(turns: number): Buffer {
  const lines = Array.from({ length: turns }, (_, turn) => {
    const at = new Date(Date.UTC(2026, 0, 1, 0, turn)).toISOString();
    const id = `toolu_${turn}`;
    const output = Array.from(
      { length: 32 },
      (_, line) => `turn ${turn}: line ${line} of what the command printed, as tests do\n`,
    );
    return [
      {
        type: "user",
        promptId: `p${turn}`,
        timestamp: at,
        message: { role: "user", content: `prompt ${turn}: run the tests again` },
      },
      {
        type: "assistant",
        timestamp: at,
        message: {
          id: `msg_${turn}`,
          role: "assistant",
          content: [
            { type: "text", text: `Now for the ${turn}th time.` },
            { type: "tool_use", id, name: "Bash", input: { command: `npm test -- ${turn}` } },
          ],
        },
      },
      {
        type: "user",
        timestamp: at,
        message: {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: id, content: output.join("") }],
        },
      },
    ];
  });
  return Buffer.from(
    lines
      .flat()
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(""),
  );
}

function bundleSize(): BenchResult {
  const files = readdirSync(pageDirectory).filter((name) => /^(app|index)/.test(name));
  const bytes = files.map((name) => gzipSync(readFileSync(join(pageDirectory, name))).length);
  const total = bytes.reduce((sum, each) => sum + each, 0);
  return {
    name: "bundle, gzip",
    value: total / 1024,
    unit: "KB",
    resultHash: sha256Hex(files.join()).slice(0, 16),
  };
}

/** First paint after the answer's first byte, beside that of a page with one word in it. */
async function measurePaint(browser: Browser, url: string, rounds: number): Promise<BenchResult[]> {
  const bare = createServer((_, response) =>
    response.setHeader("content-type", "text/html").end("<!doctype html><p>bare"),
  );
  await new Promise<void>((resolve) => bare.listen(0, "127.0.0.1", resolve));
  const bareUrl = `http://127.0.0.1:${(bare.address() as AddressInfo).port}/`;
  const times: Record<"page" | "bare", number[]> = { page: [], bare: [] };
  try {
    for (let round = 0; round < rounds; round += 1) {
      times.page.push(await firstPaint(browser, url));
      times.bare.push(await firstPaint(browser, bareUrl));
    }
  } finally {
    bare.close();
  }
  const value = percentile(times.page, 0.5);
  const floor = percentile(times.bare, 0.5);
  const resultHash = sha256Hex(await titleOf(browser, url)).slice(0, 16);
  return [{ name: "first paint", value, unit: "ms", floor, ratio: value / floor, resultHash }];
}

async function titleOf(browser: Browser, url: string): Promise<string> {
  const page = await browser.newPage();
  try {
    await page.goto(url);
    return await page.title();
  } finally {
    await page.close();
  }
}

async function firstPaint(browser: Browser, url: string): Promise<number> {
  const page = await browser.newPage();
  try {
    await page.goto(url);
    return await page.evaluate<number>(`new Promise((resolve) => {
      const [navigation] = performance.getEntriesByType("navigation");
      new PerformanceObserver((list) => {
        const paint = list.getEntries().find(({ name }) => name === "first-contentful-paint");
        if (paint !== undefined) resolve(paint.startTime - navigation.responseStart);
      }).observe({ type: "paint", buffered: true });
    })`);
  } finally {
    await page.close();
  }
}

/** From asking for all moments until their rows are there, beside git's own log of the same commits. */
async function measureTimeline(browser: Browser, { url, folder, commits }: World): Promise<BenchResult> {
  const start = performance.now();
  execFileSync("git", ["-C", folder, "log", "-z", "--format=%H%x00%B"], { maxBuffer: 1 << 30 });
  const floor = performance.now() - start;
  const page = await browser.newPage();
  try {
    await page.goto(url);
    await page.waitForSelector(".row.moment");
    const value = await page.evaluate<number>(`(async () => {
      const before = performance.now();
      const height = () => document.querySelector(".rows")?.style.height;
      for (;;) {
        const more = [...document.querySelectorAll("button")].find(({ textContent }) => textContent === "Show more");
        if (more === undefined) return performance.now() - before;
        const shown = height();
        more.click();
        while (height() === undefined || (height() === shown && document.body.contains(more)))
          await new Promise((resolve) => requestAnimationFrame(resolve));
      }
    })()`);
    const rows = await page.locator(".rows").getAttribute("style");
    return {
      name: `timeline of ${commits} checkpoints`,
      value,
      unit: "ms",
      floor,
      ratio: value / floor,
      resultHash: sha256Hex(rows ?? "").slice(0, 16),
    };
  } finally {
    await page.close();
  }
}

const steps = 300;
const stepPixels = 500;

/** Scrolls through the whole page: processor time of the main thread for each frame, and the heap at the end. */
async function measureScrolling(
  browser: Browser,
  url: string,
  { hash, name, selector }: { hash: string; name: string; selector: string },
): Promise<BenchResult[]> {
  const page = await browser.newPage();
  try {
    await page.goto(`${url}#${hash}`);
    await page.waitForSelector(selector);
    await readAll(page);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
    const frames: number[] = [];
    const height = await page.evaluate<number>("document.documentElement.scrollHeight - innerHeight");
    const distance = Math.min(height, steps * stepPixels);
    let before = await taskMs(devtools);
    for (let step = 1; step <= steps; step += 1) {
      // as somebody who throws the wheel, in the middle of the page
      const top = (height - distance) / 2 + (distance * step) / steps;
      await page.evaluate(`new Promise((resolve) => {
        scrollTo(0, ${top});
        requestAnimationFrame(() => setTimeout(resolve));
      })`);
      const now = await taskMs(devtools);
      frames.push(now - before);
      before = now;
    }
    await devtools.send("HeapProfiler.collectGarbage");
    const { usedSize } = await devtools.send("Runtime.getHeapUsage");
    const digest = sha256Hex(String(height)).slice(0, 16);
    return [
      {
        name: `${name}: frame, p95 of main thread`,
        value: percentile(frames, 0.95),
        unit: "ms",
        floor: 16,
        ratio: percentile(frames, 0.95) / 16,
        resultHash: digest,
      },
      { name: `${name}: heap`, value: usedSize / 1e6, unit: "MB", resultHash: digest },
    ];
  } finally {
    await page.close();
  }
}

const mostReads = 600;

/** To the end of what is read piece by piece, as somebody who scrolls there. */
async function readAll(page: Page): Promise<void> {
  for (let tries = 0; tries < mostReads && (await page.getByText("Reading on…").count()) > 0; tries += 1)
    await page.evaluate(`new Promise((resolve) => {
      scrollTo(0, document.documentElement.scrollHeight);
      setTimeout(resolve, 100);
    })`);
  await page.evaluate("scrollTo(0, 0)");
}

async function taskMs(devtools: CDPSession): Promise<number> {
  const { metrics } = await devtools.send("Performance.getMetrics");
  return (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0) * 1000;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
