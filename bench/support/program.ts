import { fileURLToPath } from "node:url";

/** The program that `npm run build` makes. */
export const keyframeProgram = fileURLToPath(new URL("../../dist/keyframe.cjs", import.meta.url));
