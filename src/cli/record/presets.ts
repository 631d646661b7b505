/** What `keyframe record` can be told about who made a change. */
export const recordPresets = [
  "claude",
  "agent-v1",
  "known_human",
  "human",
  "untracked",
  "mock_ai",
  "mock_known_human",
] as const;

export type CheckpointPreset = (typeof recordPresets)[number];
