// Covers src/sandbox/network/**, src/sandbox/sidecar/**.
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { branchSandbox } from "../../src/sandbox/lifecycle/branch.ts";
import { resumeSandbox } from "../../src/sandbox/lifecycle/resume-sandbox.ts";
import { forkSnapshot, type StartOptions } from "../../src/sandbox/lifecycle/start-sandbox.ts";
import { readForwards } from "../../src/sandbox/network/port-forwards.ts";
import { askSidecar, ensureSidecar } from "../../src/sandbox/network/sidecar-client.ts";
import { removeSandbox } from "../../src/sandbox/removal/remove-sandbox.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { findSandbox, sandboxState } from "../../src/sandbox/store/sandbox-store.ts";
import type { ReadySnapshot } from "../../src/sandbox/store/snapshot-store.ts";
import { allStarted, openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

// Real servers on this machine's loopback: one that the guest may reach, one that it may not.
let lab: SandboxLab;
let sandbox: SandboxRecord;
let snapshot: ReadySnapshot;
const asked: string[] = [];
const bigBytes = 6_000_000;
const allowed = createServer((incoming, response) => {
  asked.push(incoming.url ?? "");
  let receivedBytes = 0;
  incoming.on("data", (piece: Buffer) => {
    receivedBytes += piece.length;
  });
  incoming.on("end", () => {
    response.end(incoming.url === "/big" ? Buffer.alloc(bigBytes, "b") : `${incoming.url} ${receivedBytes}`);
  });
});
let refusedConnections = 0;
const refused = createTcpServer((socket) => {
  refusedConnections += 1;
  socket.destroy();
});
const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;
const sidecarLog = (name: string) =>
  String(JSON.parse(lab.cli(["sandbox", "logs", name, "--json"]).stdout).sidecar);

// The minimal image has no client.
// `count` requests at once, each with `size` bytes of body; the answers, or their lengths if they are long.
const client = String.raw`
use IO::Socket::INET; my ($host, $port, $path, $size, $count) = @ARGV;
my @open = map { IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) or die "no: $!\n" } 1 .. $count;
for my $s (@open) { print $s "POST $path HTTP/1.0\r\nContent-Length: $size\r\n\r\n", 'u' x $size; $s->flush }
for my $s (@open) { local $/; my $t = <$s>; die "no answer\n" unless $t =~ /\r\n\r\n(.*)/s; print +(length $1 > 1000 ? length $1 : $1), "\n" }
`;
const server = String.raw`
use IO::Socket::INET; $SIG{CHLD} = 'IGNORE';
my $l = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 7777, Listen => 64, ReuseAddr => 1) or die;
open my $f, '>', '/root/server-ready'; close $f;
while (1) { my $c = $l->accept or next; next if fork; my $n = <$c>; $n =~ s/\s+$//;
  if ($n =~ /^big (\d+)/) { print $c 'x' x 65536 for 1 .. $1 } else { print $c "inside $n\n" } $c->flush; shutdown $c, 1; 1 while <$c>; exit }
`;

beforeAll(async () => {
  for (const each of [allowed, refused]) {
    each.listen(0, "127.0.0.1");
    await once(each, "listening");
  }
  lab = openSandboxLab();
  const started = await lab.boot("networked", {
    network: { allow: [`127.0.0.1:${portOf(allowed)}`, "localhost"] },
  });
  expect(started.problems).toEqual([]);
  sandbox = started.record;
  await lab.sh(
    sandbox,
    `cat > /root/get.pl <<'END'\n${client}\nEND\ncat > /root/server.pl <<'END'\n${server}\nEND
setsid perl /root/server.pl >/dev/null 2>&1 & while [ ! -e /root/server-ready ]; do sleep 0.05; done`,
  );
});
afterAll(async () => {
  await lab?.close();
  allowed.close();
  refused.close();
});

const get = (from: SandboxRecord, host: string, port: number, path: string, size = 0) =>
  lab.sh(from, `perl /root/get.pl ${host} ${port} ${path} ${size} 1`);
const toHost = (from: SandboxRecord, path: string, size = 0) =>
  get(from, "host.keyframe.internal", portOf(allowed), path, size);
const forkOne = async (from: ReadySnapshot, options: StartOptions = {}) =>
  allStarted(await forkSnapshot(lab.context, from, { count: 1, ...options }))[0] as SandboxRecord;
const end = (each: SandboxRecord) => removeSandbox(lab.context, findSandbox(lab.context, each.id));

test("a guest reaches what is allowed, in both directions and in any size, many times at once", async () => {
  expect(await toHost(sandbox, "/one")).toBe("/one 0");
  expect(await toHost(sandbox, "/up", 3_000_000)).toBe("/up 3000000");
  expect(await toHost(sandbox, "/big")).toBe(String(bigBytes));
  const many = await lab.sh(
    sandbox,
    `perl /root/get.pl host.keyframe.internal ${portOf(allowed)} /many 70000 12`,
  );
  expect(many.split("\n")).toEqual(Array.from({ length: 12 }, () => "/many 70000"));
});

test("other ports of this machine, private ranges and metadata are refused before anything connects", async () => {
  for (const [host, port] of [
    ["host.keyframe.internal", portOf(refused)],
    ["169.254.169.254", 80],
    ["10.0.2.2", portOf(allowed)],
    ["192.168.1.1", 80],
    ["198.18.0.77", 80],
  ] as const) {
    await expect(get(sandbox, host, port, "/no"), `${host}:${port}`).rejects.toThrow(/no answer|no: /);
  }
  expect(refusedConnections).toBe(0);
  expect(asked).not.toContain("/no");
  expect(sidecarLog("networked")).toContain("refused a connection to 169.254.169.254:80");
  expect(sidecarLog("networked")).toContain(`refused a connection to 127.0.0.1:${portOf(refused)}`);
});

test("names that no rule mentions are not looked up, and a name that leads to this machine does not open it", async () => {
  await expect(lab.sh(sandbox, "getent ahostsv4 example.com")).rejects.toThrow();
  expect(sidecarLog("networked")).toContain('refused the name "example.com"');
  expect(await lab.sh(sandbox, "getent ahostsv4 host.keyframe.internal")).toContain("198.18.0.1 ");
  // localhost is in the guest's own /etc/hosts: ask the name server itself
  const question = `perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "198.18.0.53", PeerPort => 53); send $s, "\\x12\\x34\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0\\x09localhost\\0\\0\\x01\\0\\x01", 0; recv $s, $a, 512, 0; print join ".", unpack "C4", substr $a, -4'`;
  expect(await lab.sh(sandbox, question)).toBe("127.0.0.1");
  await expect(get(sandbox, "198.18.0.1", portOf(refused), "/by-name")).rejects.toThrow(/no answer|no: /);
  expect(refusedConnections).toBe(0);
});

test("the guest's own servers stay its own, and nothing outside seems to answer a ping", async () => {
  const own = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/7777; echo self >&3; cat <&3'";
  expect(await lab.sh(sandbox, own)).toBe("inside self");
  expect(await lab.sh(sandbox, "cat /proc/sys/net/ipv4/icmp_echo_ignore_all")).toBe("1");
});

/** One connection to a forwarded port: what comes back after one line, until its end. */
async function ask(port: number, line: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.write(`${line}\n`);
  const pieces: Buffer[] = [];
  for await (const piece of socket as AsyncIterable<Buffer>) pieces.push(piece);
  socket.end();
  return Buffer.concat(pieces).toString("latin1");
}

test("a port is forwarded, listed and closed, and comes back at the same place after a kill -9", async () => {
  const made = JSON.parse(lab.cli(["sandbox", "port", "networked", "7777", "--json"]).stdout);
  const port = Number(made.hostPort);
  expect(await Promise.all(Array.from({ length: 20 }, (_, i) => ask(port, `n${i}`)))).toEqual(
    Array.from({ length: 20 }, (_, i) => `inside n${i}\n`),
  );
  expect((await ask(port, "big 100")).length).toBe(100 * 65536);
  expect(JSON.parse(lab.cli(["sandbox", "port", "networked", "--json"]).stdout)).toEqual([made]);
  // nobody listens there inside: the connection ends without an answer
  const [closedInside] = (
    await askSidecar(lab.context, sandbox, { do: "forward", guestPort: 9, hostPort: 0 })
  ).slice(-1);
  await ask(closedInside?.hostPort ?? 0, "anybody").then(
    (answer) => expect(answer).toBe(""),
    (error: unknown) => expect(String(error)).toContain("ECONNRESET"),
  );
  const taken = lab.cli(["sandbox", "port", "networked", "7777", "--host-port", String(portOf(allowed))]);
  expect([taken.code, taken.stderr]).toEqual([expect.any(Number), expect.stringContaining("refused")]);
  const sidecars = lab.context.files
    .listIfExists("/proc")
    ?.filter(({ name }) => /^\d+$/.test(name))
    .filter(({ name }) => {
      const words = lab.context.files.readIfExists(`/proc/${name}/cmdline`)?.toString().split("\0") ?? [];
      return words.includes("keep") && words.includes(sandbox.id);
    });
  expect(sidecars).toHaveLength(1);
  const sidecar = lab.context.processTable.identify(Number(sidecars?.[0]?.name));
  if (sidecar === undefined) throw new Error("no sidecar");
  lab.context.processTable.signal(sidecar, "SIGKILL");
  while (lab.context.processTable.isRunning(sidecar)) await lab.context.clock.sleep(5);
  expect(lab.cli(["sandbox", "exec", "networked", "--", "true"]).code).toBe(0);
  expect(await ask(port, "again")).toBe("inside again\n");
  expect(await toHost(sandbox, "/after-kill")).toBe("/after-kill 0");
  expect(lab.cli(["sandbox", "port", "networked", "7777", "--close"]).code).toBe(0);
  expect(readForwards(lab.context, sandbox.id).map(({ guestPort }) => guestPort)).toEqual([9]);
  await expect(ask(port, "closed")).rejects.toThrow(/ECONNREFUSED/);
});

test("a branch leaves the source's open connections alone, and a child has a network of its own or none", async () => {
  const { hostPort } = (
    await askSidecar(lab.context, sandbox, { do: "forward", guestPort: 7777, hostPort: 0 })
  ).slice(-1)[0] ?? { hostPort: 0 };
  const open = connect({ port: hostPort, host: "127.0.0.1", allowHalfOpen: true });
  await once(open, "connect");
  snapshot = await (await branchSandbox(lab.context, sandbox.id)).durable;
  open.write("over the branch\n");
  expect(String((await once(open, "data"))[0])).toBe("inside over the branch\n");
  open.destroy();
  const network = { allow: [`127.0.0.1:${portOf(allowed)}`] };
  const child = await forkOne(snapshot, { network });
  expect(await toHost(child, "/child")).toBe("/child 0");
  expect(readForwards(lab.context, child.id)).toEqual([]);
  await end(child);
  const alone = await forkOne(snapshot);
  await expect(toHost(alone, "/alone")).rejects.toThrow(/no: /);
  await expect(get(alone, "198.18.0.1", portOf(allowed), "/alone")).rejects.toThrow(/unreachable/);
  expect(await lab.sh(alone, "ls /etc/resolv.conf* 2>/dev/null || true")).not.toContain("keyframe");
  expect(await lab.sh(alone, "cat /etc/resolv.conf 2>/dev/null || true")).not.toContain("198.18");
  expect(asked).not.toContain("/alone");
  // a port needs no network
  const forwards = await askSidecar(lab.context, alone, { do: "forward", guestPort: 7777, hostPort: 0 });
  expect(await ask(forwards[0]?.hostPort ?? 0, "no network")).toBe("inside no network\n");
  await end(alone);
  expect(await toHost(sandbox, "/source")).toBe("/source 0");
});

test("an idle sandbox is stopped with nobody watching, a used one is not, and it continues with its network", async () => {
  const network = { allow: [`127.0.0.1:${portOf(allowed)}`] };
  const child = await forkOne(snapshot, { network, idleMs: 6_000 });
  // longer than the limit, and one command all the time
  await lab.sh(child, "sleep 8");
  expect(sandboxState(lab.context, findSandbox(lab.context, child.id))).toBe("running");
  while (sandboxState(lab.context, findSandbox(lab.context, child.id)) !== "stopped")
    await lab.context.clock.sleep(50);
  const resumed = await resumeSandbox(lab.context, findSandbox(lab.context, child.id));
  expect(resumed.problems).toEqual([]);
  expect(await toHost(resumed.record, "/resumed")).toBe("/resumed 0");
  await end(resumed.record);
});

test("what a rule or an option of the network cannot mean is a usage error, and nothing is started", async () => {
  for (const words of [
    ["--net", "bridge"],
    ["--allow", "example.com"],
    ["--net", "user", "--allow", "1.2.3.4.5"],
    ["--net", "user", "--allow", "example.com:0"],
    ["--net", "user", "--allow", "10.0.0.0/33"],
  ]) {
    const { code } = lab.cli(["sandbox", "run", "debian", ...words]);
    expect(code, words.join(" ")).toBe(2);
  }
  await ensureSidecar(lab.context, { id: sandbox.id });
});
