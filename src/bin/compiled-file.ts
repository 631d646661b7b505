import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { constants, Script } from "node:vm";

/**
 * Loads a CommonJS file of ours, compiled already where that was kept: compiling takes a hook a third of its time. What is
 * compiled lies in the user's cache directory, by the digest that the build wrote into the file's first line and by the
 * version of Node; V8 refuses what another version or other flags made. Without a cache the file is compiled as ever.
 */
export function loadCompiled(path: string, require: NodeJS.Require): unknown {
  const source = readFileSync(path, "latin1");
  const text = `(function (exports, require, module, __filename, __dirname) {${source}\n})`;
  const place = cachePlace(source);
  const cachedData = place === undefined ? undefined : readOwn(place);
  const script = new Script(text, {
    filename: path,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  if (place !== undefined && (cachedData === undefined || script.cachedDataRejected === true))
    process.once("exit", () => keepCompiled(text, path, place));
  const module = { exports: {} };
  const run = script.runInThisContext() as (...words: unknown[]) => void;
  run.call(module.exports, module.exports, require, module, path, dirname(path));
  return module.exports;
}

/** Undefined where nothing can be kept: no home, no users, or a file that the build did not mark. */
function cachePlace(source: string): string | undefined {
  const digest = /^\/\*([0-9a-f]{32})\*\//.exec(source)?.[1];
  const named = process.env["XDG_CACHE_HOME"] ?? "";
  const home = process.env["HOME"] ?? "";
  const base = isAbsolute(named) ? named : isAbsolute(home) ? join(home, ".cache") : undefined;
  if (digest === undefined || base === undefined || process.geteuid === undefined) return undefined;
  return join(base, "keyframe", "code", `${process.version}-${process.arch}-${digest}`);
}

/** Only what this user wrote and nobody else can write is run. */
function readOwn(place: string): Buffer | undefined {
  try {
    const stat = lstatSync(place, { throwIfNoEntry: false });
    const isOwn = stat?.isFile() === true && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0;
    return isOwn && stat.size > 0 ? readFileSync(place) : undefined;
  } catch {
    return undefined; // not readable: compiled as ever
  }
}

/**
 * Keeps a file compiled for the next process, every function of it. Only where it is used again after a minute: what runs
 * once, as in a container of a build, has nothing from it. An empty file says since when.
 */
function keepCompiled(text: string, filename: string, place: string): void {
  try {
    const begun = lstatSync(place, { throwIfNoEntry: false });
    if (begun === undefined) {
      if (!mayWrite(place)) return;
      mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
      writeFileSync(place, "", { flag: "wx", mode: 0o600 });
      return;
    }
    if (Date.now() - begun.mtimeMs < waitMs) return;
    setFlagsFromString("--no-lazy");
    const script = new Script(text, {
      // under its own name V8 would give back what this process compiled, which is what it happened to run
      filename: `${filename}#whole`,
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    setFlagsFromString("--lazy");
    const temporary = `${place}.${process.pid}.tmp`;
    writeFileSync(temporary, script.createCachedData(), { flag: "wx", mode: 0o600, flush: true });
    renameSync(temporary, place);
    removeOld(dirname(place));
  } catch {
    // a full disk, or another process at the same time: the next one tries again
  }
}

const waitMs = 60_000;

/** Root with the home of the user that called it writes nothing there: the user could not replace it. */
function mayWrite(place: string): boolean {
  for (let folder = dirname(place); folder !== dirname(folder); folder = dirname(folder)) {
    const stat = lstatSync(folder, { throwIfNoEntry: false });
    if (stat !== undefined) return stat.uid === process.geteuid?.();
  }
  return false;
}

/** What versions left that are gone by now. */
function removeOld(folder: string): void {
  for (const name of readdirSync(folder)) {
    const stat = lstatSync(join(folder, name), { throwIfNoEntry: false });
    if (stat !== undefined && Date.now() - stat.mtimeMs > maxAgeMs)
      rmSync(join(folder, name), { force: true });
  }
}

const maxAgeMs = 60 * 24 * 60 * 60 * 1000;
