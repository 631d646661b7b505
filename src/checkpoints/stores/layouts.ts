import type { StoreKind } from "../record/checkpoint-tree.ts";
import type { Layout } from "./plan-write.ts";
import { refsLayout } from "./refs-store.ts";
import { v1Layout } from "./v1-store.ts";
import { v2Layout } from "./v2-layout.ts";

export const layouts: Readonly<Record<StoreKind, Layout>> = { v1: v1Layout, v2: v2Layout, refs: refsLayout };
