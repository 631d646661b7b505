import { join } from "node:path";
import { homedir } from "../../../system/machine/home.ts";

export interface ImageFolders {
  /** The store that is meant when none is named. */
  readonly images: string;
  /** Copies of what was read from other stores; may be deleted at any time. */
  readonly cache: string;
  /** Layers in the making on their way to another machine. */
  readonly scratch: string;
}

/** Below KEYFRAME_HOME if that is set, else where the XDG base directories say. */
export function imageFolders(env: NodeJS.ProcessEnv): ImageFolders {
  const home = env["KEYFRAME_HOME"];
  const data = home ?? join(env["XDG_DATA_HOME"] || join(userHome(env), ".local", "share"), "keyframe");
  const cache =
    home === undefined
      ? join(env["XDG_CACHE_HOME"] || join(userHome(env), ".cache"), "keyframe")
      : join(home, "cache");
  return { images: join(data, "images"), cache: join(cache, "objects"), scratch: join(cache, "scratch") };
}

function userHome(env: NodeJS.ProcessEnv): string {
  return env["HOME"] || homedir();
}
