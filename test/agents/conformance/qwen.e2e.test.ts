import { playConformance } from "../../support/agents/conformance-suite.ts";

playConformance("qwen");
