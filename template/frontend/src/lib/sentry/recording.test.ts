import rules from "@contracts/scrubber.json";
import { describe, expect, it } from "vitest";
import { redactRecording } from "./recording";
import { Scrubber } from "./scrubber";

const SECRET = "jane-4f1b7c";

/** An event of a recording as it leaves. */
function redacted(event: Record<string, unknown>) {
  const text = redactRecording(
    `{"segment_id":3,"note":"${SECRET}"}\n${JSON.stringify([{ timestamp: 5, note: SECRET, ...event }])}`,
    new Scrubber(rules),
  );
  expect(text).not.toContain(SECRET);
  const [header, events] = text.split("\n");
  expect(header).toBe('{"segment_id":3}');
  return JSON.parse(events ?? "")[0];
}

const node = (fields: Record<string, unknown>) =>
  redacted({
    type: 2,
    data: { node: { id: 1, type: 2, note: SECRET, ...fields }, initialOffset: { left: 0, top: 7 } },
  }).data.node;

const increment = (source: number, data: Record<string, unknown>) =>
  redacted({ type: 3, data: { source, note: SECRET, ...data } }).data;

const custom = (tag: string, payload: Record<string, unknown>) =>
  redacted({ type: 5, data: { tag, payload: { note: SECRET, ...payload } } })?.data.payload;

describe("a snapshot", () => {
  it("keeps its structure and masks its text", () => {
    expect(
      node({
        tagName: "p",
        attributes: {},
        childNodes: [{ type: 3, id: 2, textContent: `Dear ${SECRET}` }],
      }),
    ).toEqual({
      id: 1,
      type: 2,
      tagName: "p",
      attributes: {},
      childNodes: [{ type: 3, id: 2, textContent: "**** ***********" }],
    });
  });

  it.each([
    "id",
    "name",
    "title",
    "alt",
    "href",
    "src",
    "srcset",
    "action",
    "content",
    "aria-label",
    "data-note",
    "onclick",
    "value",
    "placeholder",
    "checked",
    "rr_dataURL",
    "rr_src",
    "download",
    "for",
  ])("keeps nothing of the attribute %s", (name) => {
    const { attributes } = node({ tagName: "a", attributes: { [name]: SECRET } });
    expect(String(attributes[name] ?? "")).toMatch(/^\**$/);
  });

  it("keeps what draws the page", () => {
    const attributes = {
      class: "a b",
      type: "text",
      role: "button",
      rr_width: "7px",
      disabled: "",
      colspan: "2",
      media: "(min-width: 10px)",
    };
    expect(node({ tagName: "input", attributes }).attributes).toEqual(attributes);
  });

  it.each([
    ["role", "Jane Doe"],
    ["type", "jane@example"],
    ["wrap", "Jane"],
    ["rel", "jane_doe"],
    ["height", "49151123456"],
    ["media", "(min-width: 10px) Jane"],
  ])("keeps no text in the attribute %s: %s", (name, value) => {
    expect(node({ tagName: "a", attributes: { [name]: value } }).attributes).toEqual({});
  });

  it.each([
    ["role", "menuitem-radio"],
    ["height", "12.5%"],
    ["hidden", ""],
    ["colspan", "2"],
    ["media", "screen and (min-width: 10px), print"],
  ])("keeps words and sizes: %s=%s", (name, value) => {
    expect(node({ tagName: "a", attributes: { [name]: value } }).attributes).toEqual({
      [name]: value,
    });
  });

  it.each([
    "7",
    "-0.5",
    "12px",
    "1.5rem",
    "50%",
    "#1f1f1f",
    "rgb(1 2 3 / 50%)",
    "hsla(1, 2%, 3%, 0.5)",
  ])("keeps numbers, lengths and colours in the properties of an application: %s", (value) => {
    const style = node({ tagName: "p", attributes: { style: `--own: ${value}; color: red` } })
      .attributes.style;
    expect(style).toContain(`--own: ${value}`);
    expect(style).toContain("color: red");
  });

  it.each([
    "Jane Doe",
    "jane",
    '"Jane"',
    "4915112345678",
    "rgb(jane)",
    "url(/jane)",
    "12 jane",
    "var(--x, jane)",
  ])("keeps nothing else in them: %s", (value) => {
    const { attributes } = node({
      tagName: "p",
      attributes: { style: `color: red; --own: ${value}` },
    });
    expect(attributes.style).toContain("color: red");
    expect(attributes.style).not.toContain("--own");
    const changed = { style: { "--own": value, "--more": [value, "important"], color: "red" } };
    expect(
      increment(0, { attributes: [{ id: 2, attributes: changed }] }).attributes[0].attributes.style,
    ).toEqual({ "--own": "", "--more": "", color: "red" });
    const set = { property: "--own", value };
    expect(increment(13, { id: 1, index: [2], set }).set.value).toBe("");
  });

  it("redacts classes by the rules", () => {
    expect(
      node({ tagName: "p", attributes: { class: "a jane@example.com" } }).attributes.class,
    ).toBe("a [Filtered:email]");
  });

  it("keeps styles without addresses, imports, comments and texts", () => {
    const css = [
      `/* ${SECRET} */ @import url("/${SECRET}"); @import '${SECRET}';`,
      `.a:hover > input[type="text"] { color: red; background: url(/${SECRET}) no-repeat }`,
      `.b::after { content: "${SECRET}"; content: '${SECRET}'; background: URL( "a)b${SECRET}" ), url('${SECRET}') }`,
    ].join("\n");
    const { attributes } = node({
      tagName: "style",
      attributes: { _cssText: css, style: `width: 3px; background: url(data:,${SECRET}` },
    });
    expect(attributes._cssText).toContain(
      '.a:hover > input[type="text"] { color: red; background: none no-repeat }',
    );
    expect(attributes._cssText).toContain(
      '.b::after { content: ""; content: ""; background: none, none }',
    );
    expect(attributes.style).toBe("width: 3px; background: none");
    expect(
      node({ tagName: "style", childNodes: [{ type: 3, id: 2, isStyle: true, textContent: css }] })
        .childNodes[0].textContent,
    ).toBe(attributes._cssText);
  });

  it.each([
    { type: 1, name: SECRET, publicId: SECRET, systemId: SECRET },
    { type: 0, compatMode: `${SECRET}!"` },
    { type: 5, textContent: SECRET },
    { type: 4, textContent: SECRET },
  ])("has no text in %j", (fields) => {
    node(fields);
  });

  it("that is none is no recording", () => {
    expect(() => redacted({ type: 2, data: {} })).toThrow(TypeError);
  });
});

describe("a change", () => {
  it("masks text, reduces attributes and adds nodes as snapshots do", () => {
    const change = increment(0, {
      texts: [{ id: 1, value: SECRET }],
      attributes: [
        {
          id: 2,
          attributes: {
            title: SECRET,
            class: "on",
            style: { color: "red", background: `url(${SECRET})`, [`${SECRET} x`]: "1" },
          },
        },
      ],
      removes: [{ parentId: 1, id: 3, isShadow: true }],
      adds: [{ parentId: 1, nextId: null, node: { type: 3, id: 4, textContent: SECRET } }],
    });
    expect(change).toEqual({
      source: 0,
      texts: [{ id: 1, value: "***********" }],
      attributes: [
        { id: 2, attributes: { class: "on", style: { color: "red", background: "none" } } },
      ],
      removes: [{ parentId: 1, id: 3, isShadow: true }],
      adds: [{ parentId: 1, nextId: null, node: { type: 3, id: 4, textContent: "***********" } }],
    });
  });

  it("of an input tells that something was entered, and neither what nor how much", () => {
    expect(increment(5, { id: 1, text: SECRET, isChecked: true })).toEqual({
      source: 5,
      id: 1,
      text: "***",
      isChecked: false,
    });
    expect(increment(5, { id: 1, text: "", isChecked: false })).toEqual({
      source: 5,
      id: 1,
      text: "",
      isChecked: false,
    });
  });

  it.each([1, 2, 3, 4, 6, 7, 12, 14])("of kind %d keeps its numbers", (source) => {
    expect(
      increment(source, { positions: [{ x: 1, y: 2, text: SECRET }], pointerType: 0 }),
    ).toEqual({ source, positions: [{ x: 1, y: 2 }], pointerType: 0 });
  });

  it("of a style is reduced as styles are", () => {
    expect(
      increment(8, { id: 1, adds: [{ rule: `a { background: url(${SECRET}) }`, index: [0, 1] }] })
        .adds,
    ).toEqual([{ rule: "a { background: none }", index: [0, 1] }]);
    expect(
      increment(13, {
        id: 1,
        index: [2],
        set: { property: "background", value: `url(${SECRET})`, priority: "important" },
      }),
    ).toEqual({
      source: 13,
      id: 1,
      index: [2],
      set: { property: "background", value: "none", priority: "important" },
    });
    expect(
      increment(15, {
        id: 1,
        styleIds: [4],
        styles: [{ styleId: 4, rules: [{ rule: `@import "${SECRET}"; a{}`, index: 0 }] }],
      }),
    ).toEqual({
      source: 15,
      id: 1,
      styleIds: [4],
      styles: [{ styleId: 4, rules: [{ rule: " a{}", index: 0 }] }],
    });
  });

  it.each([9, 10, 11, 16, 99])("of kind %d is left out", (source) => {
    expect(redacted({ type: 3, data: { source, id: 1, text: SECRET } })).toBeUndefined();
  });
});

describe("what happened", () => {
  it("names the page by origin and path", () => {
    expect(
      redacted({
        type: 4,
        data: { href: `https://app.example/orders/7?q=${SECRET}#${SECRET}`, width: 3, height: 4 },
      }).data,
    ).toEqual({
      href: "https://app.example/orders/7",
      width: 3,
      height: 4,
    });
    expect(
      redacted({ type: 4, data: { href: "https://app.example/reset/4f1b7c0e9d" } }).data.href,
    ).toBe("https://app.example/reset/[Filtered:path_secret]");
    expect(redacted({ type: 4, data: { href: `data:text/html,${SECRET}` } }).data.href).toBe(
      "data:",
    );
  });

  it("names a click by tag and classes", () => {
    const payload = {
      type: "default",
      timestamp: 5,
      category: "ui.click",
      message: `button#${SECRET}`,
      data: {
        nodeId: 4,
        url: `/x?${SECRET}`,
        [SECRET]: 1,
        node: {
          id: 4,
          tagName: "button",
          textContent: SECRET,
          attributes: { class: "a b", title: SECRET, id: SECRET },
        },
      },
    };
    expect(custom("breadcrumb", payload)).toEqual({
      type: "default",
      timestamp: 5,
      category: "ui.click",
      message: "button.a.b",
      data: {
        nodeId: 4,
        url: `${location.origin}/x`,
        node: { id: 4, tagName: "button", textContent: "", attributes: { class: "a b" } },
      },
    });
  });

  it("keeps of a breadcrumb its message, redacted, and where it led", () => {
    const payload = {
      category: "navigation",
      message: "password=hunter22",
      data: { from: `/a?${SECRET}`, to: `/b#${SECRET}`, [SECRET]: SECRET, ssn: 123456789 },
    };
    expect(custom("breadcrumb", payload)).toEqual({
      category: "navigation",
      message: "password=[Filtered]",
      data: { from: `${location.origin}/a`, to: `${location.origin}/b` },
    });
  });

  it("keeps of a request method, address and status, never bodies and headers", () => {
    const payload = {
      op: "resource.fetch",
      description: `https://api.example/a?${SECRET}`,
      startTimestamp: 1,
      endTimestamp: 2,
      data: {
        method: "POST",
        statusCode: 200,
        request: { body: SECRET, headers: { a: SECRET } },
        response: { body: { [SECRET]: 1 } },
      },
    };
    expect(custom("performanceSpan", payload)).toEqual({
      op: "resource.fetch",
      description: "https://api.example/a",
      startTimestamp: 1,
      endTimestamp: 2,
      data: { method: "POST", statusCode: 200 },
    });
  });

  it("keeps of a navigation where it led, of a measurement its numbers", () => {
    expect(
      custom("performanceSpan", {
        op: "navigation.push",
        description: `/b?${SECRET}`,
        data: { previous: `/a?${SECRET}` },
      }),
    ).toEqual({
      op: "navigation.push",
      description: `${location.origin}/b`,
      data: { previous: `${location.origin}/a` },
    });
    expect(
      custom("performanceSpan", {
        op: "web-vital",
        description: "largest-contentful-paint",
        data: { value: 7, rating: "good", nodeIds: [4] },
      }),
    ).toEqual({
      op: "web-vital",
      description: "largest-contentful-paint",
      data: { value: 7, rating: "good", nodeIds: [4] },
    });
  });

  it("leaves out what nobody knows", () => {
    expect(custom("options", { maskAllText: true, text: SECRET })).toEqual({ maskAllText: true });
    expect(custom("invented", { text: SECRET })).toBeUndefined();
    expect(redacted({ type: 6, data: { plugin: SECRET } })).toBeUndefined();
    expect(redacted({ type: 1, data: { text: SECRET } }).data).toEqual({});
  });
});

it.each(["", "{}", '{"segment_id":0}\n{}', '{"segment_id":0}\nnull', "no json\n[]"])(
  "%j is no recording",
  (text) => {
    expect(() => redactRecording(text, new Scrubber(rules))).toThrow();
  },
);
