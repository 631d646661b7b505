import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, openSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

export interface RunningServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** A port of the loopback interface that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** nginx of Debian (package nginx-light) that serves a directory. */
export async function startNginx(folder: string, root: string): Promise<RunningServer> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 256; }
http { access_log ${folder}/access.log; default_type application/octet-stream; ${temporary.join(" ")}
  server { listen 127.0.0.1:${port}; root ${root}; location /no-ranges/ { alias ${root}/; max_ranges 0; } } }`,
  );
  const nginx = start(
    "/usr/sbin/nginx",
    ["-e", join(folder, "error.log"), "-p", folder, "-c", join(folder, "nginx.conf")],
    folder,
  );
  const url = `http://127.0.0.1:${port}/`;
  await answers(url);
  return { url, stop: () => stop(nginx) };
}

export interface S3Server extends RunningServer {
  readonly env: Record<string, string>;
}

/**
 * A Ceph RADOS Gateway of Debian (packages ceph-mon, ceph-osd, ceph-common, radosgw): one monitor, one store in memory
 * and the gateway, all on loopback. A real S3 server that honours conditional writes.
 */
export async function startCephGateway(folder: string): Promise<S3Server> {
  for (const name of ["mon", "osd", "log", "run"]) mkdirSync(join(folder, name), { recursive: true });
  const [monitorPort, gatewayPort] = [await freePort(), await freePort()];
  const clusterId = randomUUID();
  const config = join(folder, "ceph.conf");
  const keyring = join(folder, "keyring");
  const monitor = `v2:127.0.0.1:${monitorPort}`;
  writeFileSync(config, cephConfig(folder, { clusterId, monitor, gatewayPort }));
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, {
      env: { ...process.env, CEPH_CONF: config },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 120_000,
    }).toString();
  const ceph = (...args: string[]) => run("ceph", "-c", config, "--connect-timeout", "30", ...args);

  run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *");
  const rights = ["mon", "osd", "mgr"].flatMap((service) => ["--cap", service, "allow *"]);
  for (const name of ["client.admin", "client.rgw.a", "osd.0"])
    run("ceph-authtool", keyring, "--gen-key", "-n", name, ...rights);
  const map = join(folder, "monmap");
  run("monmaptool", "--create", "--fsid", clusterId, "--addv", "a", `[${monitor}]`, map);
  run("ceph-mon", "-c", config, "--mkfs", "-i", "a", "--monmap", map, "--keyring", keyring);

  const running: ChildProcess[] = [];
  const stopAll = async () => {
    for (const child of running.reverse()) await stop(child);
  };
  try {
    running.push(start("ceph-mon", ["-c", config, "-i", "a", "-f"], folder));
    const storeId = randomUUID();
    ceph("osd", "new", storeId);
    ceph("osd", "crush", "add", "osd.0", "1.0", "host=h", "root=default");
    run("ceph-osd", "-c", config, "-i", "0", "--mkfs", "--osd-uuid", storeId);
    running.push(start("ceph-osd", ["-c", config, "-i", "0", "-f"], folder));
    await until(async () => ceph("osd", "stat").includes("1 up"));
    running.push(start("radosgw", ["-c", config, "-n", "client.rgw.a", "-f", "--keyring", keyring], folder));
    const url = `http://127.0.0.1:${gatewayPort}`;
    await answers(url);
    run(
      "radosgw-admin",
      "-c",
      config,
      "user",
      "create",
      "--uid=test",
      "--display-name=test",
      "--access-key=testkey",
      "--secret-key=testsecret",
    );
    return {
      url,
      env: {
        AWS_ACCESS_KEY_ID: "testkey",
        AWS_SECRET_ACCESS_KEY: "testsecret",
        AWS_ENDPOINT_URL_S3: url,
        AWS_REGION: "default",
      },
      stop: stopAll,
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

interface CephPlace {
  readonly clusterId: string;
  readonly monitor: string;
  readonly gatewayPort: number;
}

function cephConfig(folder: string, { clusterId, monitor, gatewayPort }: CephPlace): string {
  const settings = {
    fsid: clusterId,
    "mon host": monitor,
    "mon initial members": "a",
    "public network": "127.0.0.0/8",
    // with "none" this version of the gateway never becomes ready
    "auth cluster required": "cephx",
    "auth service required": "cephx",
    "auth client required": "cephx",
    "osd pool default size": 1,
    "osd pool default min size": 1,
    "osd pool default pg num": 4,
    "osd crush chooseleaf type": 0,
    "mon allow pool size one": true,
    "mon data": `${folder}/mon`,
    "osd data": `${folder}/osd`,
    "osd objectstore": "memstore",
    "memstore device bytes": 1024 ** 3,
    "osd class load list": "*",
    "osd class default list": "*",
    "ms bind ipv6": false,
    "ms learn addr from peer": false,
    "log file": `${folder}/log/$name.log`,
    "mon cluster log file": `${folder}/log/cluster.log`,
    "admin socket": `${folder}/run/$name.asok`,
    "run dir": `${folder}/run`,
    keyring: `${folder}/keyring`,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const gateway = [
    `keyring = ${folder}/keyring`,
    `rgw frontends = beast endpoint=127.0.0.1:${gatewayPort}`,
    "rgw thread pool size = 16",
  ];
  return ["[global]", ...lines, "[client.rgw.a]", ...gateway, ""].join("\n");
}

function start(program: string, args: readonly string[], folder: string): ChildProcess {
  const log = openSync(join(folder, `${program.split("/").at(-1)}.out`), "a");
  return spawn(program, args, { stdio: ["ignore", log, log] });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

function answers(url: string): Promise<void> {
  return until(async () => (await fetch(url)).status > 0);
}

/** Another program's readiness is no event that we could wait for: asks every 100 ms, for a minute at most. */
async function until(isReady: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const ready = await isReady().catch(() => false);
    if (ready) return;
    if (Date.now() > deadline) throw new Error("a server did not become ready within a minute");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
