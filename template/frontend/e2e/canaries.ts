/** Plants a secret wherever the browser's SDK might pick something up. Runs in the page, as code of the application. */
import type {
  addBreadcrumb,
  captureException,
  captureFeedback,
  setContext,
  setTag,
  setUser,
  startSpan,
} from "../src/lib/sentry";

/** Where secrets are planted before the page is there: its address, where it comes from, what the browser keeps. */
const OUTSIDE = [
  "query",
  "query behind a backslash",
  "query behind an apostrophe",
  "query behind an angle bracket",
  "fragment",
  "fragment behind a backslash",
  "fragment behind an apostrophe",
  "fragment behind an angle bracket",
  "referrer",
  "cookie",
  "storage",
  "window name",
] as const;

const INSIDE = [
  "error text",
  "error name",
  "error property",
  "cause",
  "cause of the cause",
  "aggregated error",
  "DOMException",
  "function name",
  "query of a frame",
  "address of a data frame",
  "rejected text",
  "key of a rejected object",
  "value of a rejected object",
  "member of a rejected object",
  "detail of a rejected event",
  "callback argument",
  "console text",
  "console object",
  "query of a navigation",
  "fragment of a navigation",
  "path of a navigation",
  "query of a fetch",
  "path of a fetch",
  "body of a fetch",
  "header of a fetch",
  "query of an XHR",
  "query of an image",
  "content of an image",
  "document title",
  "element text",
  "element id",
  "element aria-label",
  "element title",
  "element alt",
  "element name",
  "element data",
  "link address",
  "input value",
  "input placeholder",
  "textarea value",
  "chosen option",
  "style text",
  "style address",
  "drawing",
  "comment",
  "moved element",
  "largest element",
  "tag",
  "tag with an address",
  "context",
  "key of a context",
  "extra",
  "user",
  "breadcrumb text",
  "breadcrumb data",
  "breadcrumb address",
  "span name",
  "measurement detail",
  "message",
  "feedback",
] as const;

export type Place = (typeof OUTSIDE)[number] | (typeof INSIDE)[number];
export const PLACES: readonly Place[] = [...OUTSIDE, ...INSIDE];

/** A secret for each place, each different from all others. */
export const canaries = Object.fromEntries(
  PLACES.map((place, index) => [place, `zq${index + 10}k4F1b7c0E9d`]),
) as Record<Place, string>;

/** Query and fragment of the page's address. Of these signs browsers escape only some. */
export const ADDRESS_TAIL = ["query", "fragment"].reduce(
  (tail, part, index) =>
    `${tail}${"?#".charAt(index)}q=${canaries[part as Place]}` +
    `&user=CORP\\${canaries[`${part} behind a backslash` as Place]}` +
    `&name=O'${canaries[`${part} behind an apostrophe` as Place]}` +
    `&tag=<${canaries[`${part} behind an angle bracket` as Place]}`,
  "",
);

/** What an application tells Sentry with. */
export interface Verbs {
  addBreadcrumb: typeof addBreadcrumb;
  captureException: (...given: Parameters<typeof captureException>) => void;
  captureFeedback: (...given: Parameters<typeof captureFeedback>) => void;
  captureMessage: (text: string) => void;
  setContext: typeof setContext;
  setTag: typeof setTag;
  setUser: typeof setUser;
  startSpan: typeof startSpan;
}

/** How many errors and messages `plant` reports. */
export const REPORTED = 12;

export async function plant(verbs: Verbs): Promise<void> {
  tellVerbs(verbs);
  drawElements();
  await ask();
  console.error("console", `is ${canaries["console text"]}`, {
    value: canaries["console object"],
  });
  for (const target of document.querySelectorAll<HTMLElement>("[data-planted]")) {
    target.click();
  }
  history.pushState(
    null,
    "",
    `/reset-password/${canaries["path of a navigation"]}?q=\\${canaries["query of a navigation"]}#'${canaries["fragment of a navigation"]}`,
  );
  // Tells the sink the trace that begins with this address.
  await fetch("/api/v1/sentry-debug");
  await breakThings(verbs);
}

function tellVerbs(verbs: Verbs): void {
  verbs.setTag("api_key", canaries.tag);
  verbs.setTag("last_page", `https://app.example/?q='${canaries["tag with an address"]}`);
  verbs.setContext("account", {
    session_token: canaries.context,
    [`${canaries["key of a context"]}@example.com`]: 1,
  });
  verbs.setUser(`${canaries.user}@example.com`);
  verbs.addBreadcrumb(`login with password=${canaries["breadcrumb text"]}`, "login", {
    secret: canaries["breadcrumb data"],
    url: `/login?next=\\${canaries["breadcrumb address"]}`,
  });
  verbs.startSpan(`token=${canaries["span name"]}`, "task", () => undefined);
  performance.mark("began");
  performance.measure("took", { start: "began", detail: { who: canaries["measurement detail"] } });
}

/** A form, pictures and styles as applications have them. */
function drawElements(): void {
  document.title = canaries["document title"];
  const element = <T extends keyof HTMLElementTagNameMap>(tag: T, fields: object) =>
    Object.assign(document.createElement(tag), fields);
  const label = canaries["element aria-label"];
  const button = element("button", {
    id: canaries["element id"],
    textContent: canaries["element text"],
    title: canaries["element title"],
    ariaLabel: label,
    type: "button",
    name: canaries["element name"],
    onclick: () => {
      // Long enough to be told as an interaction.
      const end = performance.now() + 120;
      while (performance.now() < end);
    },
  });
  button.dataset.planted = canaries["element data"];
  const image = element("img", {
    alt: canaries["element alt"],
    src: `/picture.png?user=CORP\\${canaries["query of an image"]}`,
  });
  image.dataset.planted = "";
  const content = `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="500"><text>${canaries["content of an image"]}</text></svg>`;
  const picture = element("img", {
    id: canaries["largest element"],
    src: `data:image/svg+xml,${encodeURIComponent(content)}`,
  });
  const link = element("a", { href: `/?to=${canaries["link address"]}`, textContent: "x" });
  const input = element("input", {
    value: canaries["input value"],
    placeholder: canaries["input placeholder"],
  });
  const text = element("textarea", { value: canaries["textarea value"] });
  const select = element("select", {});
  select.append(element("option", { textContent: canaries["chosen option"] }));
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.append(document.createElementNS("http://www.w3.org/2000/svg", "text"));
  drawing.children[0]?.append(canaries.drawing);
  document.styleSheets[0]?.insertRule(
    `.planted { content: "${canaries["style text"]}"; background: url("/x.png?q=${canaries["style address"]}") }`,
  );
  const moved = element("p", { id: canaries["moved element"], textContent: "moves" });
  document.body.prepend(moved);
  document.body.append(button, image, picture, link, input, text, select, drawing);
  document.body.append(document.createComment(canaries.comment));
  setTimeout(() => document.body.prepend(element("div", { style: "height: 300px" })), 50);
}

async function ask(): Promise<void> {
  const headers = { "x-note": canaries["header of a fetch"] };
  const body = canaries["body of a fetch"];
  await fetch(`/health/live?user=CORP\\${canaries["query of a fetch"]}`, { headers });
  await fetch("/health/live", { method: "POST", body });
  await fetch(`/api/v1/invites/${canaries["path of a fetch"]}`);
  await new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", `/health/live?user=CORP\\${canaries["query of an XHR"]}`);
    request.onloadend = resolve;
    request.send();
  });
}

async function breakThings(verbs: Verbs): Promise<void> {
  // One after the other: what breaks all at once is limited on its way.
  const later = async (fail: () => unknown) => {
    setTimeout(fail, 0);
    await fetch("/health/live");
  };
  const cause = new Error(`api_key: ${canaries.cause}`, {
    cause: new Error(`secret=${canaries["cause of the cause"]}`),
  });
  await later(() => {
    throw new Error(`login failed with password=${canaries["error text"]}`, { cause });
  });
  await later(() => {
    throw Object.assign(new Error("named"), { name: `is ${canaries["error name"]}` });
  });
  await later(() => {
    throw Object.assign(new Error("with a property"), { note: canaries["error property"] });
  });
  await later(() => {
    throw new AggregateError([new Error(`token=${canaries["aggregated error"]}`)], "several");
  });
  await later(() => {
    throw new DOMException(`token=${canaries.DOMException}`, "DataError");
  });
  const named = {
    [`fn ${canaries["function name"]}`]: () => {
      throw new Error("in a function with a name");
    },
  };
  await later(() => Object.values(named)[0]?.());
  await later(() => {
    const error = new Error("from elsewhere");
    error.stack += `\n    at far (https://app.example/x.js?user=CORP\\${canaries["query of a frame"]}:1:2)`;
    error.stack += `\n    at farther (data:text/javascript,${canaries["address of a data frame"]}:1:2)`;
    throw error;
  });
  await later(() => Promise.reject(`password=${canaries["rejected text"]}`));
  await later(() =>
    Promise.reject({
      [`is ${canaries["key of a rejected object"]}`]: 1,
      note: canaries["value of a rejected object"],
      inner: { note: canaries["member of a rejected object"] },
    }),
  );
  await later(() =>
    Promise.reject(new CustomEvent("failed", { detail: canaries["detail of a rejected event"] })),
  );
  setTimeout(
    (_: string) => {
      verbs.captureMessage(`expired token=${canaries.message}`);
      verbs.captureException(new Error("told"), { extra: { password: canaries.extra } });
      verbs.captureFeedback({ message: `my password=${canaries.feedback}` });
    },
    0,
    canaries["callback argument"],
  );
}
