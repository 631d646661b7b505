// `node --import ./scripts/typescript.mjs file.ts`: runs TypeScript as it lies in the source tree (benchmarks).
import { register } from "node:module";

register("./typescript-hooks.mjs", import.meta.url);
