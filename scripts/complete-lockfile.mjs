// Completes package-lock.json after `npm install`: a registry mirror may lack the builds of a tool for other platforms,
// and npm then leaves their entries out although `npm ci` asks for them. Each gets an entry that keeps it optional and
// bound to its platform, with the digest that the registry names for exactly that version.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const cpus = ["x64", "arm64", "arm", "ia32", "ppc64", "riscv64", "s390x"];
const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];

let added = 0;
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (lock.packages[key] !== undefined) continue;
    const words = name.split(/[/-]/);
    const os = systems.filter((system) => words.includes(system));
    const cpu = cpus.filter((word) => words.includes(word));
    if (os.length === 0 || cpu.length === 0) throw new Error(`cannot tell the platform of ${name}`);
    const libc = words.some((word) => word.startsWith("musl"))
      ? ["musl"]
      : words.some((word) => word.startsWith("gnu"))
        ? ["glibc"]
        : undefined;
    lock.packages[key] = {
      version,
      cpu,
      ...(parent.dev ? { dev: true } : {}),
      ...(libc ? { libc } : {}),
      optional: true,
      os,
    };
    added += 1;
  }
}
for (const [key, entry] of Object.entries(lock.packages)) {
  if (key === "" || entry.link || entry.integrity !== undefined) continue;
  const name = key.slice(key.lastIndexOf("node_modules/") + "node_modules/".length);
  const said = execFileSync("npm", ["view", `${name}@${entry.version}`, "dist.integrity"], {
    encoding: "utf8",
  }).trim();
  if (!said.startsWith("sha512-"))
    throw new Error(`the registry names no digest for ${name}@${entry.version}`);
  lock.packages[key] = { version: entry.version, integrity: said, ...entry };
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
console.log(`added ${added} platform packages`);
