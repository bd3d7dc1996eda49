/** Pages for the tests, built beside those of the extensions of `src/extensions/index.ts`. */
import { useEffect, useState } from "react";
import { Link, useParams } from "react-router";
import { extensions as ours } from "../src/extensions/index";
import { api, bodyOf } from "../src/lib/api/client";
import type { Extension } from "../src/lib/extension";
import * as verbs from "../src/lib/sentry";
import {
  addBreadcrumb,
  captureException,
  captureMessage,
  describeState,
  setContext,
  setTag,
  setUser,
  startSpan,
} from "../src/lib/sentry";
import { plant } from "./canaries.ts";

Object.assign(window, { plantAll: () => plant(verbs) });

/** An order, with what pages usually have: a form, a link to another one of its kind, something that breaks. */
function OrderPage() {
  const { orderId } = useParams();
  return (
    <section>
      <h1>Order {orderId}</h1>
      <form onSubmit={(event) => event.preventDefault()}>
        <input name="card_number" aria-label="Card number" />
        <input name="password" type="password" aria-label="Password" />
        <textarea name="comment" aria-label="Comment" />
        <button type="submit">Pay</button>
      </form>
      <button
        type="button"
        onClick={() => {
          throw new Error("The order broke");
        }}
      >
        Break the order
      </button>
      <Link to="/e2e/orders/next">Next order</Link> <Link to="/e2e/late">Late page</Link>
    </section>
  );
}

/** Says everything there is to say as soon as it can, and shows the ids. */
function EarlyPage() {
  const [ids] = useState(() => {
    setUser("user-7");
    setTag("plan", "free");
    setContext("cart", { items: 3 });
    addBreadcrumb("opened the cart", "shop", { items: 3 });
    void startSpan("early work", "task", () => new Promise((resolve) => setTimeout(resolve, 50)));
    const exception = captureException(new RangeError("captured early"), {
      tags: { area: "cart" },
    });
    setTag("plan", "paid");
    return { exception, message: captureMessage("said early", "warning") };
  });
  return <output>{JSON.stringify(ids)}</output>;
}

/** More errors than anybody wants: all different, in one go. */
function storm() {
  for (let round = 0; round < 10_000; round++) {
    const error = new Error(`Storm ${round}`);
    error.name = `Storm${round}Error`;
    captureException(error);
  }
}

function BrokenInEffect() {
  useEffect(() => {
    throw new Error("The effect broke");
  }, []);
  return null;
}

/** The ways of breaking that an order has not, and a box that moves the page while it loads. */
function BreakPage() {
  const [broken, setBroken] = useState(false);
  const [moved, setMoved] = useState(false);
  useEffect(() => {
    describeState("cart", () => ({ items: [{ sku: "canary-sku", price: 3 }], coupon: "canary" }));
    requestAnimationFrame(() => requestAnimationFrame(() => setMoved(true)));
  }, []);
  return (
    <section>
      {moved && <div style={{ height: 200 }} />}
      <h1>Ways to break</h1>
      <button type="button" onClick={() => setBroken(true)}>
        Break in an effect
      </button>
      <button
        type="button"
        onClick={async () => {
          await Promise.resolve();
          throw new Error("The promise broke");
        }}
      >
        Break in a promise
      </button>
      <button type="button" onClick={() => bodyOf(api.GET("/api/v1/sentry-test/error"))}>
        Leave an API error alone
      </button>
      <button type="button" onClick={storm}>
        Start a storm
      </button>
      {broken && <BrokenInEffect />}
      <Link to="/e2e/loader/api">API loader</Link> <Link to="/e2e/loader/own">Own loader</Link>
    </section>
  );
}

const Loaded = () => <h1>Loaded</h1>;

function breakInLoader(): never {
  throw new Error("The loader broke");
}

export const extensions: readonly Extension[] = [
  ...ours,
  {
    name: "e2e",
    routes: [
      { path: "e2e/orders/:orderId", Component: OrderPage },
      { path: "e2e/early", Component: EarlyPage },
      { path: "e2e/late", lazy: () => import("./late") },
      { path: "e2e/break", Component: BreakPage },
      {
        path: "e2e/loader/api",
        loader: () => bodyOf(api.GET("/api/v1/sentry-test/error")),
        Component: Loaded,
      },
      { path: "e2e/loader/own", loader: breakInLoader, Component: Loaded },
    ],
  },
];
