import { playConformance } from "../../support/agents/conformance-suite.ts";

// left out unless KEYFRAME_AGENTS names them
for (const name of ["kimi", "gemini", "auggie", "kilo"]) playConformance(name);
