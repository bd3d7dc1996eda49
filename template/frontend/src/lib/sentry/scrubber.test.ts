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

  it("does not touch what it is given", () => {
    const input = { password: "hunter22", list: ["password=hunter22"] };
    const before = structuredClone(input);
    scrubber.scrub(input);
    expect(input).toEqual(before);
  });

  it.each(["=".repeat(20000), '"'.repeat(20000), "a.".repeat(10000), "password=\\".repeat(2000)])(
    "takes linear time for hostile text",
    (text) => {
      const started = performance.now();
      scrubber.scrub(text);
      expect(performance.now() - started).toBeLessThan(500);
    },
  );
});
