import { expect, test } from "vitest";
import { ApiError } from "../../lib/api/client";
import { failureOf, lastOffset, PAGE } from "./items";

test("a problem of the API is told with its event", () => {
  const error = new ApiError({ status: 500, title: "Broken", eventId: "abc" });
  expect(failureOf(error)).toEqual({ text: "Broken.", eventId: "abc" });
});

test("a name that the API refuses is explained", () => {
  const error = new ApiError({ status: 422, title: "Unprocessable" });
  expect(failureOf(error)).toEqual({ text: "A name has 1 to 100 characters.", eventId: null });
});

test("what is no answer of the API is not swallowed", () => {
  expect(() => failureOf(new TypeError("ours"))).toThrow("ours");
});

test.each([
  [0, 0, 0],
  [0, 5, 0],
  [PAGE, PAGE, 0],
  [PAGE, PAGE + 1, PAGE],
  [3 * PAGE, PAGE + 1, PAGE],
])("at offset %i of %i items the page begins at %i", (offset, total, expected) => {
  expect(lastOffset(offset, total)).toBe(expected);
});
