import { describe, expect, it } from "vitest";
import { pathOf, withoutQuotes } from "./quotes";

describe("the path of an element", () => {
  it.each([
    ["form > button.wide.b", "form > button.wide.b"],
    ['form#jane.doe > button.wide[aria-label="Jane"][title="a"b"]', "form > button.wide"],
    ['body > img[alt="Jane ] [x] > y"]', "body > img"],
    ["div.w-[10px] > p.md:p-2", "div.w-[10px] > p.md:p-2"],
    ['a[title="Jane', "[Filtered:element]"],
    ["", ""],
  ])("of %s is %s", (text, expected) => {
    expect(pathOf(text)).toBe(expected);
  });
});

describe("of what the SDK quotes from the page", () => {
  it.each([
    [
      "spans named by it",
      { op: "ui.interaction.click", description: "a#jane" },
      { op: "ui.interaction.click", description: "a" },
    ],
    [
      "streamed spans named by it",
      { name: "a#jane", attributes: { "sentry.op": { value: "ui.webvital.lcp", type: "string" } } },
      { name: "a", attributes: { "sentry.op": { value: "ui.webvital.lcp", type: "string" } } },
    ],
    [
      "the largest element",
      { data: { "lcp.element": "img#jane", "lcp.id": "jane" } },
      { data: { "lcp.element": "img", "lcp.id": "[Filtered:text]" } },
    ],
    [
      "elements that move",
      { "browser.web_vital.cls.source.2": { value: "p#jane", type: "string" } },
      { "browser.web_vital.cls.source.2": { value: "p", type: "string" } },
    ],
    [
      "details of measurements",
      { "sentry.browser.measure.detail.user": "jane" },
      { "sentry.browser.measure.detail.user": "[Filtered:text]" },
    ],
    [
      "what starts a long frame",
      { "browser.script.invoker": "IMG[src=/jane].onload" },
      { "browser.script.invoker": "IMG" },
    ],
    [
      "scripts that start a long frame",
      { "browser.script.invoker": "https://app.example/a.js?user=CORP\\jane" },
      { "browser.script.invoker": "https://app.example/a.js" },
    ],
    [
      "functions that a long frame ran in",
      { data: { "code.function.name": "fn jane", "code.function": "Foo.bar" } },
      { data: { "code.function.name": "[Filtered:name]", "code.function": "Foo.bar" } },
    ],
  ])("only structure stays: %s", (_, given, expected) => {
    expect(withoutQuotes(given)).toEqual(expected);
  });

  describe.each(["?q=CORP\\jane", "#'jane", "?q=<jane", "#[Filtered:url_query]\\jane"])(
    "what stands behind an address goes: %s",
    (rest) => {
      const address = `https://app.example/a${rest}`;
      const clean = "https://app.example/a";

      it.each([
        "url",
        "url.full",
        "http.url",
        "lcp.url",
        "browser.web_vital.lcp.url",
        "ui.element.url",
        "filename",
        "abs_path",
        "code.filepath",
        "code.file.path",
        "Referer",
      ])("under %s", (key) => {
        expect(withoutQuotes({ [key]: address })).toEqual({ [key]: clean });
        const attribute = { value: address, type: "string" };
        expect(withoutQuotes({ [`a.${key}`]: attribute })).toEqual({
          [`a.${key}`]: { ...attribute, value: clean },
        });
      });

      it("in lists of them", () => {
        expect(withoutQuotes({ urls: [address] })).toEqual({ urls: [clean] });
      });

      it.each(["browser.request", "resource.img", "http.client", "http.client.stream"])(
        "in the name of a span of the kind %s",
        (op) => {
          expect(withoutQuotes({ op, description: `GET ${address}` })).toEqual({
            op,
            description: `GET ${clean}`,
          });
          const attributes = { "sentry.op": { value: op, type: "string" } };
          expect(withoutQuotes({ name: address, attributes })).toEqual({ name: clean, attributes });
        },
      );
    },
  );

  it.each([
    ["TypeError", "TypeError"],
    ["WebAssembly.Exception", "WebAssembly.Exception"],
    ["Jane Doe", "[Filtered:name]"],
    ["n-4f1b7c", "[Filtered:name]"],
  ])("an error's name stays if it looks like a class: %s", (type, expected) => {
    expect(withoutQuotes({ type, value: "x", mechanism: {} })).toEqual({
      type: expected,
      value: "x",
      mechanism: {},
    });
  });

  it.each([
    "Object.onClick",
    "async Promise.all (index 0)",
    "new Größe.#secret",
    "Foo.bar [as baz]",
    "HTMLButtonElement.<anonymous>",
    "?",
    "module.exports</foo",
    "global code",
    "get value",
  ])("a function's name stays if code can have it: %s", (name) => {
    const frame = { filename: "/app.js", function: name };
    expect(withoutQuotes(frame)).toEqual(frame);
  });

  it.each(["Object.fn-4f1b", "jane doe", "jane@example"])(
    "a name that code makes up goes: %s",
    (name) => {
      expect(withoutQuotes({ filename: "/app.js", function: name })).toEqual({
        filename: "/app.js",
        function: "[Filtered:name]",
      });
    },
  );

  it("a thrown object keeps names of members and types", () => {
    const given = {
      exception: {
        values: [
          {
            type: "UnhandledRejection",
            value: "Object captured as promise rejection with keys: code, jane doe",
            mechanism: {},
          },
        ],
      },
      extra: {
        __serialized__: { code: 7, "jane doe": "x", list: ["jane"], inner: { jane: 1 } },
        note: "stays",
      },
    };
    expect(withoutQuotes(given)).toEqual({
      exception: {
        values: [
          {
            type: "UnhandledRejection",
            value: "Object captured as promise rejection with keys: code, [Filtered:name]",
            mechanism: {},
          },
        ],
      },
      extra: {
        __serialized__: {
          code: "number",
          "[Filtered:name]": "string",
          list: "array",
          inner: "object",
        },
        note: "stays",
      },
    });
  });

  it("the breadcrumb of an event does not repeat its error", () => {
    const given = { category: "sentry.event", event_id: "f", message: "Jane: broke" };
    expect(withoutQuotes(given)).toEqual({ category: "sentry.event", event_id: "f" });
  });

  it("everything else stays", () => {
    const given = {
      message: "a#b",
      tags: { function: "pay order", type: "a b" },
      spans: [{ op: "http.client", description: "GET /a" }],
    };
    expect(withoutQuotes(given)).toEqual(given);
  });
});
