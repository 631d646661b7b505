import type { HttpClient } from "../../../system/net/http.ts";
import { errorOfAnswer } from "./http-answers.ts";
import { type RetryOptions, startAttempts } from "./with-retry.ts";

/**
 * The client, with requests tried again that found no server, a busy or a failing one, so that one lost part does not
 * repeat an upload. For requests that may be made twice, as all of S3 may. A body that breaks off is the reader's to resume.
 */
export function withRequestRetry(client: HttpClient, options: RetryOptions): HttpClient {
  return {
    ...client,
    async request(request) {
      const attempts = startAttempts(options, request.signal);
      for (;;) {
        try {
          const response = await client.request(request);
          if (response.status < 500 && response.status !== 429) return response;
          response.discard();
          await attempts.waitAfter(errorOfAnswer(response.status, new URL(request.url).host));
        } catch (error) {
          await attempts.waitAfter(error);
        }
      }
    },
  };
}
