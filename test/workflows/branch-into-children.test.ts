import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Sandbox } from "e2b";
import { expect, test } from "vitest";
import { nodeCliContext } from "../../src/cli/command/context.ts";
import { branchAndTell } from "../../src/cli/sandbox/run-branch.ts";
import type { SnapshotId } from "../../src/sandbox/ids.ts";
import type { ForkOptions } from "../../src/sandbox/lifecycle/start-sandbox.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import type { ReadySnapshot } from "../../src/sandbox/store/snapshot-store.ts";
import { type BranchSteps, branchIntoChildren } from "../../src/workflows/branch-into-children.ts";
import {
  openTestServer,
  pause,
  recordRunningSandbox,
  recordSnapshot,
  type TestServer,
} from "../support/test-server.ts";

const id = "sb-0123456789ab";
const snapshotId = "sn-0123456789ab" as SnapshotId;
const network = { allow: ["pypi.org:443"] };

type Door = (server: TestServer, steps: BranchSteps) => Promise<unknown>;
const silent = { write: () => true, isTTY: false };
const doors: Record<string, Door> = {
  "keyframe sandbox branch": ({ sandboxContext }, steps) => {
    const terminal = { ...nodeCliContext().terminal, note: () => undefined };
    const context = { ...nodeCliContext(), terminal, process: { stdout: silent, stderr: silent } };
    return branchAndTell(context, sandboxContext, { flags: { count: 2 }, id, steps });
  },
  "POST /v1/sandboxes/{id}/branch": ({ ask }) => ask("POST", `/v1/sandboxes/${id}/branch`, { count: 2 }),
  "Sandbox.fork of the e2b package": async ({ app }) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await Sandbox.fork("sb0123456789ab", { apiUrl: url, sandboxUrl: url, apiKey: "any", count: 2 });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  },
};

/** What children are started with when a sandbox like this is branched through a door. */
async function childrenOf(source: Partial<SandboxRecord>, door: Door): Promise<ForkOptions> {
  const asked: ForkOptions[] = [];
  const steps: BranchSteps = {
    branchSandbox: async () => ({
      id: snapshotId,
      pause,
      durable: Promise.resolve(recordSnapshot(server.sandboxContext) as ReadySnapshot),
    }),
    forkSnapshot: async (_context, _snapshot, options) => {
      asked.push(options);
      return [];
    },
  };
  const server = openTestServer(steps);
  recordRunningSandbox(server.sandboxContext, source);
  await door(server, steps);
  const [options] = asked;
  if (options === undefined || asked.length > 1) throw new Error("the children were to be started once");
  return options;
}

const sources: [string, Partial<SandboxRecord>][] = [
  ["a plain sandbox", {}],
  ["one with network", { network }],
  ["one with an idle limit", { idleMs: 60_000 }],
  ["one with an environment", { env: { TOKEN: "t", PATH: "/bin" } }],
  ["one with everything", { network, idleMs: 60_000, env: { TOKEN: "t" }, expiresAtMs: 5 }],
];

test.each(sources)("children of %s are like it, whichever door they are asked for at", async (_, source) => {
  const { env = {}, network: inherited, idleMs } = source;
  const expected = {
    count: 2,
    env,
    ...(inherited === undefined ? {} : { network: inherited }),
    ...(idleMs === undefined ? {} : { idleMs }),
  };
  for (const [name, door] of Object.entries(doors)) {
    expect(await childrenOf(source, door), name).toEqual(expected);
  }
});

test("what is asked for comes before what is inherited, and variables are added to the source's", async () => {
  const options = await childrenOf({ network, idleMs: 60_000, env: { A: "1", B: "2" } }, ({ ask }) =>
    ask("POST", `/v1/sandboxes/${id}/branch`, {
      env: { B: "3", C: "4" },
      idleSeconds: 5,
      network: { allow: [] },
      ttlSeconds: 9,
      name: "child",
    }),
  );
  expect(options).toMatchObject({
    count: 1,
    env: { A: "1", B: "3", C: "4" },
    idleMs: 5000,
    lifetimeMs: 9000,
    name: "child",
  });
  expect(options.network).not.toEqual(network);
});

test("a snapshot that does not become durable has no children", async () => {
  const { sandboxContext } = openTestServer();
  const source = recordRunningSandbox(sandboxContext);
  let forked = false;
  const request = branchIntoChildren(
    sandboxContext,
    source,
    {},
    {
      branchSandbox: async () => ({ id: snapshotId, pause, durable: Promise.reject(new Error("disk full")) }),
      forkSnapshot: async () => {
        forked = true;
        return [];
      },
    },
  );
  await expect(request).rejects.toThrow("disk full");
  expect(forked).toBe(false);
});
