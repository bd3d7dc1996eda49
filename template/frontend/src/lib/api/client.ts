import createClient, { type Middleware } from "openapi-fetch";
import { traceHeaders } from "../sentry";
import type { paths } from "./schema";

/** What the API says in a problem document (RFC 9457), or a description of a request that got no answer. */
interface Problem {
  /** HTTP status; 0 when no answer came. */
  status: number;
  title: string;
  detail?: string | null;
  /** The event that the API has sent to Sentry about it. */
  eventId?: string | null;
  traceId?: string | null;
}

const NO_ANSWER = "The API does not answer";

/** A request that failed. With an event id it is reported already, and is not reported again. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly eventId: string | null;
  readonly traceId: string | null;

  constructor({ status, title, detail, eventId = null, traceId = null }: Problem, cause?: unknown) {
    super(detail || title, { cause });
    this.status = status;
    this.eventId = eventId;
    this.traceId = traceId;
  }

  /** Reads the problem document of a response; anything else is described by its status. */
  static async from(response: Response): Promise<ApiError> {
    const body: unknown = await response.json().catch(() => null);
    const text = (name: string): string | null => {
      const value: unknown = typeof body === "object" && body ? Reflect.get(body, name) : null;
      return typeof value === "string" && value !== "" ? value : null;
    };
    // What a proxy says when it does not reach the API.
    const isGateway = [502, 503, 504].includes(response.status);
    return new ApiError({
      status: response.status,
      title: text("title") ?? (isGateway ? NO_ANSWER : `The API answered ${response.status}`),
      detail: text("detail"),
      eventId: text("event_id"),
      traceId: text("trace_id"),
    });
  }
}

const middleware: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(traceHeaders())) {
      request.headers.set(name, value);
    }
  },
  async onResponse({ response, options }) {
    if (!response.ok) {
      throw await ApiError.from(response);
    }
    // A static host answers every address with the start page.
    const isJson = /[/+]json\b/i.test(response.headers.get("content-type") ?? "");
    if (options.parseAs === "json" && response.status !== 204 && !isJson) {
      throw new ApiError({ status: 0, title: NO_ANSWER });
    }
  },
  onError({ error, request }) {
    return request.signal.aborted
      ? undefined
      : new ApiError({ status: 0, title: NO_ANSWER }, error);
  },
};

/** The API, typed by `contracts/openapi.json`. Throws `ApiError` for every answer that is not a success. */
export const api = createClient<paths>({
  baseUrl: location.origin,
  // Looked up at each call, because the SDK replaces it when it comes.
  fetch: (request) => globalThis.fetch(request),
});
api.use(middleware);

/** The body of an answer: `const user = await bodyOf(api.GET("/api/v1/me"))`. */
export async function bodyOf<Body>(answer: Promise<{ data?: Body }>): Promise<Body> {
  const { data } = await answer;
  if (data === undefined) {
    throw new ApiError({ status: 0, title: "The API answered without a body" });
  }
  return data;
}
