import { fuzzGuestFrames } from "./guest-frames.ts";
import { fuzzCaches, fuzzMemory, fuzzOverlays, fuzzSnapshots } from "./kept-machines.ts";
import {
  fuzzMetadata,
  fuzzNotes,
  fuzzPayloads,
  fuzzSettings,
  fuzzText,
  fuzzTranscripts,
  fuzzTrees,
} from "./left-inputs.ts";
import { fuzzNbdMessages } from "./nbd-messages.ts";
import { fuzzLayers, fuzzManifests, fuzzPacks, fuzzTars } from "./stored-images.ts";
import { fuzzDns, fuzzMultipart, fuzzStores } from "./wire-messages.ts";

/** Looks at so many inputs; a wrong answer is an exception. The seed makes a failing run again. */
export type Fuzzer = (options: { readonly runs: number; readonly seed: number }) => number | Promise<number>;

/** By the name that `npm run fuzz -- <name>` takes. */
export const fuzzers: Readonly<Record<string, Fuzzer>> = {
  payloads: fuzzPayloads,
  notes: fuzzNotes,
  trees: fuzzTrees,
  metadata: fuzzMetadata,
  settings: fuzzSettings,
  transcripts: fuzzTranscripts,
  text: fuzzText,
  guest: fuzzGuestFrames,
  nbd: fuzzNbdMessages,
  packs: fuzzPacks,
  manifests: fuzzManifests,
  layers: fuzzLayers,
  tars: fuzzTars,
  dns: fuzzDns,
  multipart: fuzzMultipart,
  stores: fuzzStores,
  memory: fuzzMemory,
  overlays: fuzzOverlays,
  caches: fuzzCaches,
  snapshots: fuzzSnapshots,
};
