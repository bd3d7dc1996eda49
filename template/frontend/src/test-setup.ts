import { afterEach, beforeEach, expect, vi } from "vitest";

/** A test fails when the code under test complains on the console and the test does not expect it. */
beforeEach(() => {
  vi.spyOn(console, "warn");
  vi.spyOn(console, "error");
});

afterEach(() => {
  expect(vi.mocked(console.warn).mock.calls).toEqual([]);
  expect(vi.mocked(console.error).mock.calls).toEqual([]);
});
