import type { Repository } from "../../git/repository.ts";

/** What is run, and where. */
export interface RunRequest {
  readonly repository: Repository;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly words: readonly string[];
  /** Who is credited. */
  readonly tool: string;
  readonly model: string;
}
