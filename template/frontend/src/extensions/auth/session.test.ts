import { afterEach, beforeEach, expect, it, type MockInstance, vi } from "vitest";
import * as sentry from "../../lib/sentry";
import { refresh, signOut, takeToken } from "./session";

let setUser: MockInstance<typeof sentry.setUser>;

/** Has the API answer when the test says so, to the requests in their order; returns what they carry. */
function answerLater() {
  const carried: (string | null)[] = [];
  const answers: ((response: Response) => void)[] = [];
  vi.stubGlobal("fetch", (request: Request) => {
    carried.push(request.headers.get("authorization"));
    return new Promise<Response>((resolve) => answers.push(resolve));
  });
  async function answer(status: number, id = ""): Promise<void> {
    await vi.waitFor(() => expect(answers).not.toHaveLength(0));
    const headers = { "content-type": "application/json" };
    answers.shift()?.(new Response(JSON.stringify({ id }), { status, headers }));
  }
  return { answer, carried };
}

beforeEach(() => {
  setUser = vi.spyOn(sentry, "setUser");
});

afterEach(() => {
  signOut();
  vi.unstubAllGlobals();
});

it("names who is signed in, by id alone", async () => {
  const { answer, carried } = answerLater();
  const session = takeToken("one");
  await answer(200, "user-1");
  await session;
  expect(carried).toEqual(["Bearer one"]);
  expect(setUser.mock.calls).toEqual([["user-1"]]);
});

it.each([200, 401, 503])("lets nobody come back by a late answer: %s", async (status) => {
  const { answer } = answerLater();
  const session = takeToken("one");
  signOut();
  await answer(status, "user-1");
  await session;
  expect(setUser.mock.calls).toEqual([[null]]);
});

it("lets a late answer about one user touch no other", async () => {
  const { answer } = answerLater();
  const first = takeToken("one");
  const second = takeToken("two");
  await answer(200, "user-1");
  await answer(200, "user-2");
  await Promise.all([first, second]);
  expect(setUser.mock.calls).toEqual([["user-2"]]);
});

it("keeps no token of which the API cannot say whose it is", async () => {
  const { answer, carried } = answerLater();
  const session = takeToken("one");
  await answer(503);
  await expect(session).rejects.toThrow();
  const again = refresh();
  await answer(401);
  await again;
  expect(carried).toEqual(["Bearer one", null]);
  expect(setUser).toHaveBeenLastCalledWith(null);
});
