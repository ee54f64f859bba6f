/** REST of the server, typed from its schema. */
import createClient from "openapi-fetch";
import type { paths } from "@/api/schema";

export const api = createClient<paths>({ baseUrl: window.location.origin });

export class ServerError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The body, or the server's own sentence as an error. */
export function body<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  const { data, error, response } = answer;
  if (response.ok && data !== undefined) return data;
  throw new ServerError(response.status, sentence(error) ?? response.statusText);
}

/** For an answer without a body. */
export function done(answer: { error?: unknown; response: Response }): void {
  const { error, response } = answer;
  if (response.ok) return;
  throw new ServerError(response.status, sentence(error) ?? response.statusText);
}

function sentence(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("detail" in error)) return null;
  return typeof error.detail === "string" ? error.detail : JSON.stringify(error.detail);
}
