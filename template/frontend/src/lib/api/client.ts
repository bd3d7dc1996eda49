import createClient, { type Middleware } from "openapi-fetch";
import { addBreadcrumb, notedRequests, sdkState, startSpan, traceHeaders } from "../sentry";
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

/** What went wrong as one sentence, for a person. */
export const sentenceOf = (error: Error): string => `${error.message.replace(/\.$/, "")}.`;

/** The requests of the client below by their routes in the contract: `/orders/{order_id}`, never an order's number. */
const routes = new WeakMap<Request, string>();

function note(request: Request, status: number): void {
  const { method } = request;
  const url = routes.get(request);
  addBreadcrumb(`${method} ${url}`, "api", { method, url, status_code: status });
}

/** Asks the API. From before the SDK is there, which sees requests itself, it is a span of the page load. */
function ask(request: Request): Promise<Response> {
  // Looked up at each call, because the SDK replaces it when it comes.
  const fetching = () => globalThis.fetch(request);
  return sdkState() === "on"
    ? fetching()
    : startSpan(`${request.method} ${routes.get(request)}`, "http.client", fetching);
}

let currentToken: () => string | null = () => null;

/**
 * Has requests carry what `source` returns at that moment as bearer token; null sends none. Only requests to the own
 * API: no other host learns it. The token is not kept here, and is part of no breadcrumb.
 */
export function provideToken(source: () => string | null): void {
  currentToken = source;
}

function authorize(request: Request): void {
  const token = currentToken();
  const isOwn = new URL(request.url).origin === location.origin;
  if (token && isOwn && !request.headers.has("authorization")) {
    request.headers.set("authorization", `Bearer ${token}`);
  }
}

const middleware: Middleware = {
  onRequest({ request, schemaPath }) {
    routes.set(request, schemaPath);
    authorize(request);
    notedRequests.add(request);
    for (const [name, value] of Object.entries(traceHeaders())) {
      request.headers.set(name, value);
    }
  },
  async onResponse({ request, response, options }) {
    note(request, response.status);
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
    if (request.signal.aborted) {
      return undefined;
    }
    note(request, 0);
    return new ApiError({ status: 0, title: NO_ANSWER }, error);
  },
};

/** The API, typed by `contracts/openapi.json`. Throws `ApiError` for every answer that is not a success. */
export const api = createClient<paths>({
  baseUrl: location.origin,
  fetch: ask,
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
