/** What a hook loads when an agent calls that is described by data. */
export { findAgentAdapter } from "../../agents/hooks/registry.ts";
