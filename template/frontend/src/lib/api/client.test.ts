import { afterEach, describe, expect, it, vi } from "vitest";
import * as sentry from "../sentry";
import { ApiError, api, bodyOf, provideToken, sentenceOf } from "./client";

const answer = (body: BodyInit | null, init: ResponseInit) =>
  vi.stubGlobal("fetch", async () => new Response(body, init));

const ask = () => bodyOf(api.GET("/api/v1/sentry-debug"));

afterEach(() => vi.unstubAllGlobals());

describe("the API client", () => {
  it("gives the body of a success", async () => {
    const headers = { "content-type": "application/json" };
    answer(JSON.stringify({ release: "app@1" }), { status: 200, headers });
    expect(await ask()).toEqual({ release: "app@1" });
  });

  it("throws what a problem document says", async () => {
    const problem = { title: "Broken", detail: "Try later.", event_id: "e1", trace_id: "t1" };
    answer(JSON.stringify(problem), { status: 503 });
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      name: "ApiError",
      message: "Try later.",
      status: 503,
      eventId: "e1",
      traceId: "t1",
    });
    expect([error, new Error("Gone")].map((one) => sentenceOf(one as Error))).toEqual([
      "Try later.",
      "Gone.",
    ]);
  });

  it.each(["<html>Bad gateway</html>", "", "null", '"text"', '{"title": 5, "event_id": {}}'])(
    "describes any other failure by its status: %s",
    async (body) => {
      answer(body, { status: 500 });
      const error = await ask().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        message: "The API answered 500",
        eventId: null,
        traceId: null,
      });
    },
  );

  it("says that the API does not answer when a proxy says so", async () => {
    answer("<html>Bad gateway</html>", { status: 502 });
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: "The API does not answer", status: 502 });
  });

  it.each(["text/html", ""])("takes a success of the type %j for no answer", async (type) => {
    answer("<!doctype html>", { status: 200, headers: { "content-type": type } });
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "ApiError", message: "The API does not answer" });
  });

  it("says when there was no answer, and keeps the cause", async () => {
    const cause = new TypeError("Failed to fetch");
    vi.stubGlobal("fetch", () => Promise.reject(cause));
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 0, message: "The API does not answer", cause });
  });

  it("lets a cancelled request be what it is", async () => {
    const request = new AbortController();
    const reason = new DOMException("no longer needed", "AbortError");
    vi.stubGlobal("fetch", () => Promise.reject(reason));
    request.abort(reason);
    const asked = bodyOf(api.GET("/api/v1/sentry-debug", { signal: request.signal }));
    await expect(asked).rejects.toBe(reason);
  });

  it("notes each call by its route, with method and status, and failures with the status 0", async () => {
    const note = vi.spyOn(sentry, "addBreadcrumb");
    answer("{}", { status: 404 });
    await ask().catch(() => undefined);
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await api.GET("/api/v1/sentry-test/slow", { params: { query: { seconds: 2 } } }).catch(() => 0);
    const call = (url: string, status_code: number) => [
      `GET ${url}`,
      "api",
      { method: "GET", url, status_code },
    ];
    expect(note.mock.calls).toEqual([
      call("/api/v1/sentry-debug", 404),
      call("/api/v1/sentry-test/slow", 0),
    ]);
  });

  it("sends the token that there is at that moment, and to no other host", async () => {
    const sent: [string, string | null][] = [];
    const fetch = async (request: Request) => {
      sent.push([new URL(request.url).host, request.headers.get("authorization")]);
      return new Response("{}", { headers: { "content-type": "application/json" } });
    };
    vi.stubGlobal("fetch", fetch);
    let token: string | null = "one";
    provideToken(() => token);
    await ask();
    token = "two";
    await ask();
    await api.GET("/api/v1/sentry-debug", { baseUrl: "https://elsewhere.example.com" });
    await api.GET("/api/v1/sentry-debug", { headers: { authorization: "Bearer own" } });
    token = null;
    await ask();
    provideToken(() => null);
    const { host } = location;
    expect(sent).toEqual([
      [host, "Bearer one"],
      [host, "Bearer two"],
      ["elsewhere.example.com", null],
      [host, "Bearer own"],
      [host, null],
    ]);
  });
});
