// Covers src/server/page/**, src/cli/web/** and web/**: the page in Debian's Chromium, over a repository that agents worked in.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startAgentSession } from "../support/agent-session.ts";
import { type PageServer, startPageServer } from "../support/page-server.ts";
import { scratchFolder } from "../support/scratch.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

const chromiumPath = "/usr/bin/chromium";
const hasChromium = existsSync(chromiumPath);
const axeSource = readFileSync("node_modules/axe-core/axe.min.js", "utf8");
/** Written by agents and people everywhere: none of it may run, none of it may leave its place. */
const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>\u202e\u001b[31m`;

let repository: TestRepository;
let server: PageServer;
let url = "";
/** The commit that the agent's first turn led to. */
let retryCommit = "";
/** Of a conversation of 1502 entries. */
let longCommit = "";
let browser: Browser;

beforeAll(async () => {
  repository = createTestRepository();
  repository.write("src/parser.ts", "export const by = 'a person';\n");
  repository.write("long.txt", Array.from({ length: 50_000 }, (_, line) => `line ${line}\n`).join(""));
  repository.commit("Start");
  repository.keyframe(["enable"]);
  const talker = startAgentSession(repository, "8b9f5a4e-0000-4000-8000-00000000000c", {
    through: "program",
  });
  await talker.prompt("talk for long");
  for (let turn = 0; turn < 1500; turn += 1) talker.say(`turn number ${turn}`);
  await talker.write("src/talk.ts", "talk();\n");
  await talker.stop();
  longCommit = repository.commit("Talk");
  const session = startAgentSession(repository, "8b9f5a4e-0000-4000-8000-00000000000b", {
    through: "program",
  });
  await session.prompt("make the parser retry");
  await session.write("src/parser.ts", "export const by = 'a person';\nexport const retries = 3;\n");
  await session.write("src/evil.ts", `// ${hostile}\n`);
  session.say(`it retries now ${hostile}`);
  session.say(`one line: ${"no end in sight ".repeat(200_000)}`);
  await session.stop();
  retryCommit = repository.commit(`Retry ${hostile}`);
  repository.note(
    repository.git("rev-parse", "HEAD~1"),
    `../../etc/passwd\n  s_1 1-2\n${"deep/".repeat(500)}\u001b[31m\u202e.ts\n  s_1 1-9\n---\n{"schema_version":"authorship/3.0.0","sessions":{}}`,
  );
  await session.prompt("and log it");
  await session.write("src/log.ts", "log();\n");
  await session.stop();
  writeMachines(join(repository.env["HOME"] ?? "", ".local/share/keyframe"));
  server = await startPageServer(repository);
  url = server.url;
  if (hasChromium) {
    browser = await chromium.launch({
      executablePath: chromiumPath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  }
});
afterAll(async () => {
  await browser?.close();
  server?.stop();
  repository.remove();
});

const chainLength = 40;

/** Records as machines leave them: a chain of snapshots, a sandbox of its newest, one whose snapshot is gone. */
function writeMachines(home: string): void {
  const put = (path: string, record: object) => {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), JSON.stringify(record));
  };
  const id = (letters: string, number: number) => `${letters}-${String(number).padStart(12, "0")}`;
  const digest = "a".repeat(64);
  const shape = {
    memoryMiB: 128,
    cpus: 1,
    diskBytes: 1 << 20,
    accelerator: "tcg",
    machine: "microvm",
    processor: "max",
  };
  const common = { format: 1, generation: 1, shape, disk: [] };
  for (let at = 0; at < chainLength; at += 1)
    put(`snapshots/${id("sn", at)}/snapshot.json`, {
      ...common,
      id: id("sn", at),
      ...(at === 0 ? { name: "prepared" } : { parent: { id: id("sn", at - 1), seal: digest } }),
      state: "ready",
      createdAtMs: 1_770_000_000_000 + at,
      // whoever made the image chose its source's words
      hypervisor: hostile,
    });
  put(`sandboxes/${id("sb", 1)}/sandbox.json`, {
    ...common,
    id: id("sb", 1),
    name: "work",
    createdAtMs: 1e300,
    base: id("sn", chainLength - 1),
    status: "stopped",
    env: { TOKEN: hostile },
  });
  put(`sandboxes/${id("sb", 2)}/sandbox.json`, {
    ...common,
    id: id("sb", 2),
    createdAtMs: 1_770_000_000_000,
    base: id("sn", 99),
    status: "stopped",
    env: {},
  });
}

async function open(hash = "", options: Parameters<Browser["newPage"]>[0] = {}): Promise<Page> {
  const page = await browser.newPage(options);
  onTestFinished(() => page.close());
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (asked) => {
    if (!asked.url().startsWith(url.split("#")[0] ?? "") && !asked.url().startsWith("data:"))
      problems.push(`asked for ${asked.url()}`);
  });
  onTestFinished(() => expect(problems).toEqual([]));
  await page.goto(url);
  if (hash !== "") await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await page.waitForSelector("main section h1");
  await page.locator("[aria-busy]").waitFor({ state: "detached" });
  return page;
}

function get(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
  const at = new URL(url);
  return new Promise((resolve, reject) => {
    request(
      { host: "127.0.0.1", port: at.port, path, headers: { host: at.host, ...headers } },
      (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(pieces).toString(),
          }),
        );
      },
    )
      .on("error", reject)
      .end();
  });
}
const token = () => ({ authorization: `Bearer ${/token=([0-9a-f]+)/.exec(url)?.[1]}` });

test.skipIf(!hasChromium)(
  "a newcomer finds which prompt wrote a line: files, a line, the conversation",
  async () => {
    const page = await open();
    await page.getByRole("link", { name: "files" }).click();
    await page.getByRole("link", { name: "src/parser.ts" }).click();
    await page.getByRole("button", { name: "line 2: where it came from" }).click();
    const card = page.getByRole("complementary");
    expect(await card.textContent()).toContain("make the parser retry");
    await card.getByRole("link", { name: "Open the conversation" }).click();
    await page.getByRole("heading", { name: "make the parser retry" }).waitFor();
    expect(await page.locator(".conversation").textContent()).toContain("it retries now");
    // the very turn, not only the conversation that it belongs to
    expect(await page.locator(".entry.chosen").textContent()).toContain("make the parser retry");
    expect(await page.locator("body").textContent()).not.toMatch(/[\u202a-\u202e]/);
  },
);

test.skipIf(!hasChromium)(
  "the timeline shows commits and turns, filters them, and follows the repository",
  async () => {
    const page = await open();
    const titles = () => page.locator(".moment .title").allTextContents();
    expect((await titles()).slice(0, 2)).toEqual(["and log it", "make the parser retry"]);
    await page.getByLabel("Filter the timeline").fill("start");
    expect(await titles()).toEqual(["Start"]);
    await page.getByLabel("Filter the timeline").fill("");
    repository.git("commit", "-q", "--allow-empty", "-m", "while the page is open");
    await page.getByRole("link", { name: "while the page is open" }).waitFor({ timeout: 20_000 });
  },
);

test.skipIf(!hasChromium)("in the demo's repository a newcomer finds which prompt wrote a line", async () => {
  const directory = scratchFolder();
  const env = { PATH: process.env["PATH"], TMPDIR: directory, HOME: directory };
  const told = execFileSync(process.execPath, [keyframeProgram, "demo", "--keep"], { env, encoding: "utf8" });
  // the last line says where to go
  const [, folder = ""] = /: cd (\S+) && keyframe web\n$/.exec(told) ?? [];
  const demo = await startPageServer({ folder, env });
  onTestFinished(() => demo.stop());
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(demo.url);
  await page.getByRole("link", { name: "files" }).click();
  await page.getByRole("link", { name: "slug.js" }).click();
  await page.getByRole("button", { name: "line 3: where it came from" }).click();
  const card = page.getByRole("complementary");
  expect(await card.textContent()).toMatch(/codex.*Keep at most eight/);
  await card.getByRole("link", { name: "Open the conversation" }).click();
  await page.locator(".entry.chosen").waitFor();
  expect(await page.locator(".entry.chosen").textContent()).toContain("Keep at most eight");
});

test.skipIf(!hasChromium)("a line of three megabytes shows its beginning, and more on demand", async () => {
  const page = await open(`/checkpoint/${retryCommit}`);
  const long = page.locator(".entry", { hasText: "one line: no end in sight" });
  const shown = async () => (await long.locator("pre").textContent())?.length ?? 0;
  expect(await shown()).toBe(20_000);
  await long.getByRole("button", { name: "characters more" }).click();
  expect(await shown()).toBe(80_000);
});

test.skipIf(!hasChromium)(
  "a long conversation is read on while it is scrolled, with few turns in the document",
  async () => {
    const page = await open(`/checkpoint/${longCommit}`);
    const drawn = () => page.locator(".entry").count();
    const last = page.getByText("turn number 1499", { exact: true });
    for (let tries = 0; tries < 100 && (await last.count()) === 0; tries += 1) {
      await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)");
      await page.waitForTimeout(50);
    }
    expect(await page.locator(".conversation").getAttribute("data-entries")).toBe("1502");
    expect(await last.count()).toBe(1);
    expect(await drawn()).toBeLessThan(200);
    await page.getByLabel("Find in the conversation").fill("number 703");
    await expect.poll(drawn).toBe(1);
  },
);

test.skipIf(!hasChromium)("a commit shows its diff with owners, in one column and side by side", async () => {
  const page = await open(`#/commit/${retryCommit}`);
  expect(await page.locator("tr.added td.mark.agent").count()).toBeGreaterThan(0);
  await page.getByLabel("side by side").check();
  expect(await page.locator("table.split").count()).toBeGreaterThan(0);
});

test.skipIf(!hasChromium)("machines stand below what they were made from", async () => {
  const page = await open("#/machines");
  await page.waitForSelector(".machine");
  const rows = await page.locator(".machine").allTextContents();
  expect(rows).toHaveLength(chainLength + 2);
  expect(rows[0]).toContain("prepared");
  expect(rows[chainLength]).toMatch(/^work.*stopped/);
  expect(rows.at(-1)).toContain("which is gone");
  // what a machine is given is nobody's to read here
  expect((await get("/api/machines", token())).body).not.toContain("TOKEN");
});

test.skipIf(!hasChromium)("people: what became of each conversation's lines", async () => {
  const page = await open("#/people");
  const row = page.locator("tr", { hasText: "8b9f5a4e-0000-4000-8000-00000000000b" });
  expect(await row.locator("td").allTextContents()).toEqual([
    expect.stringContaining("claude"),
    "2",
    "2 (100 %)",
    "0",
    "0",
  ]);
});

test.skipIf(!hasChromium)("code is coloured, and is text whatever it holds", async () => {
  const page = await open("#/file/src%2Fparser.ts");
  await page.locator(".line .code-keyword", { hasText: "export" }).first().waitFor();
  expect(await page.locator(".line code").allTextContents()).toEqual([
    "export const by = 'a person';",
    "export const retries = 3;",
  ]);
  const evil = await open("#/file/src%2Fevil.ts");
  await evil.locator(".line .code-comment", { hasText: "<script>" }).waitFor();
  expect(await evil.title()).toBe("Keyframe");
});

test.skipIf(!hasChromium)("fifty thousand lines are scrolled with few rows in the document", async () => {
  const page = await open("#/file/long.txt");
  await page.waitForSelector(".line");
  expect(await page.locator(".line").count()).toBeLessThan(400);
  await page.evaluate("scrollTo(0, document.body.scrollHeight)");
  await page.getByText("line 49999", { exact: true }).waitFor();
});

test.skipIf(!hasChromium)("keys lead everywhere", async () => {
  const page = await open();
  await page.keyboard.press("f");
  await page.getByRole("heading", { name: "Files" }).waitFor();
  await page.keyboard.press("p");
  await page.getByRole("heading", { name: "People and agents" }).waitFor();
  await page.keyboard.press("/");
  await page.locator("#search:focus").waitFor();
  await page.keyboard.type("retry");
  await page.keyboard.press("Enter");
  await page.getByText("places in conversations").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
});

const views: readonly (readonly [string, string])[] = [
  ["timeline", ""],
  ["files", "#/files"],
  ["file", "#/file/src%2Fparser.ts?line=2"],
  ["commit", "#/commit/RETRY"],
  ["checkpoint", "#/checkpoint/RETRY"],
  ["people", "#/people"],
  ["races", "#/races"],
  ["machines", "#/machines"],
  ["search", "#/search?q=retry"],
];

test.skipIf(!hasChromium).each(views)(
  "%s: nothing hostile runs, axe finds nothing, light, dark and narrow",
  async (name, hash) => {
    for (const [kind, options] of [
      ["light", { colorScheme: "light" as const }],
      ["dark", { colorScheme: "dark" as const }],
      ["narrow", { colorScheme: "light" as const, viewport: { width: 380, height: 760 } }],
    ] as const) {
      const page = await open(hash.replace("RETRY", retryCommit), options);
      if (name === "machines") await page.waitForSelector(".machine");
      await page.locator("[aria-busy]").waitFor({ state: "detached" });
      expect(await page.title()).toBe("Keyframe");
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
      await page.evaluate(axeSource);
      const violations = await page.evaluate<string[]>(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0]?.html))",
      );
      expect(violations).toEqual([]);
      const screenshots = process.env["KEYFRAME_TEST_SCREENSHOTS"];
      if (screenshots !== undefined) {
        mkdirSync(screenshots, { recursive: true });
        writeFileSync(join(screenshots, `${name}-${kind}.png`), await page.screenshot());
      }
    }
  },
);

test("the repository's content needs the token; the page itself does not, and nothing may frame or feed it", async () => {
  const page = await get("/");
  expect(page.status).toBe(200);
  expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
  expect(page.body).not.toContain("parser");
  expect((await get("/api/timeline")).status).toBe(401);
  expect((await get("/api/timeline", { authorization: "Bearer 0" })).status).toBe(401);
  expect((await get("/api/timeline", token())).status).toBe(200);
});

test.each([
  ["another host name", { host: "evil.example:80" }, 403],
  ["another origin", { origin: "https://evil.example" }, 403],
  ["another site's page", { "sec-fetch-site": "cross-site" }, 403],
])("a request of %s is refused", async (_name, headers, status) => {
  expect((await get("/api/timeline", { ...token(), ...headers })).status).toBe(status);
});

test.each([
  "/api/diff/--output=x",
  "/api/file/..%2F..%2F..%2Fetc%2Fpasswd",
  "/api/moment/%00",
  "/api/nothing",
  "/api/file/%ff",
  "/api/timeline?limit=x",
  "/../package.json",
  "/api/__proto__",
])("%s is a 4xx", async (path) => {
  const { status } = await get(path, token());
  expect([path, status >= 400 && status < 500]).toEqual([path, true]);
});

test.skipIf(!hasChromium)("an export opens from its files alone", async () => {
  const site = join(repository.folder, "..", "site");
  const result = repository.keyframe(["web", "export", site]);
  expect([result.code, result.stderr]).toEqual([0, ""]);
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(pathToFileURL(join(site, "index.html")).href);
  await page.getByRole("link", { name: /Retry/ }).first().click();
  await page.getByRole("heading", { name: "make the parser retry" }).waitFor();
  expect(await page.title()).toBe("Keyframe");
  expect(repository.keyframe(["web", "export", site]).stderr).toContain("exists already");
});
