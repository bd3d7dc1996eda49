import { afterEach, beforeEach, expect, vi } from "vitest";
import type { VariableName } from "./config/variables";

/** A test fails when the code under test complains on the console and the test does not expect it. */
beforeEach(() => {
  vi.spyOn(console, "warn");
  vi.spyOn(console, "error");
});

afterEach(() => {
  expect(vi.mocked(console.warn).mock.calls).toEqual([]);
  expect(vi.mocked(console.error).mock.calls).toEqual([]);
});

/** Writes variables into the page, as a build does; the next test begins without any. */
export function setVariables(variables: Partial<Record<VariableName, string>>): void {
  for (const [name, content] of Object.entries(variables)) {
    document.head.append(Object.assign(document.createElement("meta"), { name, content }));
  }
}

afterEach(() => {
  for (const meta of document.head.querySelectorAll("meta")) {
    meta.remove();
  }
});
