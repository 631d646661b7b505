import type { Repository } from "../git/repository.ts";

/** stub until settle lands */
export async function settleInHook(_repository: Repository): Promise<void> {}
