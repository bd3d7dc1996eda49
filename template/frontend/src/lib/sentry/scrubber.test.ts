import rules from "@contracts/scrubber.json";
import cases from "@contracts/scrubber-cases.json";
import { describe, expect, it } from "vitest";
import { wordsOf } from "./rules";
import { Scrubber } from "./scrubber";

const scrubber = new Scrubber(rules);

describe("the cases that both sides of the application share", () => {
  it.each(cases)("$name", ({ input, expected }) => {
    expect(scrubber.scrub(input)).toEqual(expected);
  });

  it.each(cases)("are left as they are the second time: $name", ({ expected }) => {
    expect(scrubber.scrub(expected)).toEqual(expected);
  });
});

describe("the project's own keys", () => {
  const own = new Scrubber(rules, ["Loyalty-Number", "token_count", " ", "رقم العضوية"]);

  it.each([
    [{ loyaltyNumber: "7" }, { loyaltyNumber: "[Filtered]" }],
    [{ my_loyalty_number_2: "7" }, { my_loyalty_number_2: "[Filtered]" }],
    [{ loyaltynumber: "7" }, { loyaltynumber: "[Filtered]" }],
    ["loyalty-number=7", "loyalty-number=[Filtered]"],
    [{ "رقم العضوية": "7" }, { "رقم العضوية": "[Filtered]" }],
    // Harmless otherwise.
    [{ token_count: 7 }, { token_count: "[Filtered]" }],
    [
      { loyalty: "7", number: "7" },
      { loyalty: "7", number: "7" },
    ],
  ])("are redacted in any spelling: %j", (input, expected) => {
    expect(own.scrub(input)).toEqual(expected);
  });
});

describe("what the protocol needs", () => {
  it.each(rules.protocol_keys)("no own key hides: %s", (key) => {
    const own = new Scrubber(rules, [key, ...key.split(" ")]);
    expect(own.scrub({ [key]: "x" })).toEqual({ [key]: "x" });
  });
});

describe("the words of a key", () => {
  it.each([
    ["X-ApiKey", "x api key"],
    ["token[Filtered:jwt]_type", "token type"],
    [`${"a_".repeat(300)}password`, `${"a ".repeat(300)}password`],
  ])("of %s", (key, words) => {
    expect(wordsOf(key)).toBe(words);
  });
});

describe("what only the browser meets", () => {
  it("refuses objects of classes, functions and symbols", () => {
    class Vault {
      key = "open sesame";
    }
    expect(scrubber.scrub([new Vault(), () => "x", Symbol("x"), 10n, new Map()])).toEqual(
      Array(5).fill("[Filtered:type]"),
    );
  });

  it("keeps undefined, which is not sent", () => {
    expect(scrubber.scrub({ tags: undefined, password: undefined })).toEqual({});
  });

  it("ends in a marker where an object contains itself", () => {
    const circle: Record<string, unknown> = {};
    circle.circle = circle;
    expect(JSON.stringify(scrubber.scrub(circle))).toContain("[Filtered:depth]");
  });

  it("bounds what is wide, and what many places share", () => {
    let shared: unknown[] = ["leaf"];
    for (let level = 0; level < rules.max_depth; level += 1) {
      shared = [shared, shared];
    }
    const text = JSON.stringify(scrubber.scrub(shared));
    expect(text).toContain("[Filtered:size]");
    expect(text.length).toBeLessThan(2 * rules.max_size);
    const wide = scrubber.scrub(Array(rules.max_width + 1).fill(0)) as unknown[];
    expect([wide.length, wide.at(-1)]).toEqual([rules.max_width, "[Filtered:width]"]);
  });

  it("takes a key that every object inherits for any other", () => {
    const text =
      '{"__proto__":{"password":"hunter22","note":"a"},"constructor":{"note":"a","token":"t"},"hasOwnProperty":"a"}';
    const expected = text.replace("hunter22", "[Filtered]").replace('"t"', '"[Filtered]"');
    expect(JSON.stringify(scrubber.scrub(JSON.parse(text)))).toBe(expected);
    expect(scrubber.scrub(text)).toBe(expected);
  });

  it("does not touch what it is given", () => {
    const input = { password: "hunter22", list: ["password=hunter22"] };
    const before = structuredClone(input);
    scrubber.scrub(input);
    expect(input).toEqual(before);
  });

  it.each(["=".repeat(20000), '"'.repeat(20000), "a.".repeat(10000), "password=\\".repeat(2000)])(
    "takes linear time for hostile text",
    (text) => {
      const measured = [1, 2, 3].map(() => {
        const started = performance.now();
        scrubber.scrub(text);
        return performance.now() - started;
      });
      // The machine may have done something else meanwhile, but hardly three times.
      expect(Math.min(...measured)).toBeLessThan(500);
    },
  );
});
