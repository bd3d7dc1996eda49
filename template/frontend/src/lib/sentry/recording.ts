/**
 * Redacts the recording of a replay: a new one is made of what draws the page, and nothing else is copied. What rrweb
 * records is described in https://github.com/rrweb-io/rrweb/blob/master/packages/types/src/index.ts.
 */
import { Drawing, entered, flagsOf, list, masked, numbersOf, word } from "./drawing";
import { marker } from "./rules";
import { type Fields, isFields, type Scrubber } from "./scrubber";

const FULL_SNAPSHOT = 2;
const INCREMENT = 3;
const META = 4;
const CUSTOM = 5;
const LOADED = [0, 1];

const MUTATION = 0;
const INPUT = 5;
const STYLE_RULE = 8;
const STYLE_DECLARATION = 13;
const ADOPTED_STYLES = 15;
/** Moves, clicks, scrolls, sizes, what plays, drags and selections: numbers only. */
const MOVEMENTS = [1, 2, 3, 4, 6, 7, 12, 14];

type Text = (text: string) => string;

/** The numbers among these members. */
const numbersIn = (fields: Fields, names: string[]) =>
  Object.fromEntries(names.map((name) => [name, numbersOf(fields[name])]));

/** Origin and path of an address, redacted; of one that is not of the web only the scheme. */
function addressOf(text: unknown, scrub: Text): string {
  try {
    const { protocol, origin, pathname } = new URL(String(text), location.origin);
    return /^https?:$/.test(protocol) ? scrub(origin + pathname) : protocol;
  } catch {
    return marker("url");
  }
}

/** Returns the recording, a line of headers and one of events, without anything of the person. Throws if it is none. */
export function redactRecording(recording: string, scrubber: Scrubber): string {
  const end = recording.indexOf("\n");
  const { segment_id } = JSON.parse(recording.slice(0, end)) as Fields;
  const events: unknown = JSON.parse(recording.slice(end + 1));
  if (!Array.isArray(events)) {
    throw new TypeError("a recording without events");
  }
  const redactor = new Redactor(scrubber);
  const clean = list(events).map((event) => redactor.event(event));
  return `${JSON.stringify({ segment_id: Number(segment_id) })}\n${JSON.stringify(clean.filter(Boolean))}`;
}

class Redactor {
  readonly #scrub: Text;
  readonly #drawing: Drawing;

  constructor(scrubber: Scrubber) {
    this.#scrub = (text) => String(scrubber.scrub(text));
    this.#drawing = new Drawing(scrubber);
  }

  /** An event that draws, or tells what happened; undefined for others. */
  event({ type, timestamp, data }: Fields): Fields | undefined {
    const clean = isFields(data) ? this.#data(type, data) : undefined;
    return clean && { type, timestamp: Number(timestamp), data: clean };
  }

  #data(type: unknown, data: Fields): Fields | undefined {
    if (LOADED.includes(type as number)) {
      return {};
    }
    switch (type) {
      case FULL_SNAPSHOT:
        return {
          node: this.#drawing.node(data.node),
          initialOffset: numbersOf(data.initialOffset),
        };
      case INCREMENT:
        return this.#increment(data);
      case META:
        return { ...flagsOf(data), href: addressOf(data.href, this.#scrub) };
      case CUSTOM:
        return this.#custom(data);
      default:
        return undefined;
    }
  }

  #increment(data: Fields): Fields | undefined {
    if (MOVEMENTS.includes(data.source as number)) {
      return numbersOf(data) as Fields;
    }
    const flags = flagsOf(data);
    switch (data.source) {
      case MUTATION:
        return {
          ...flags,
          texts: list(data.texts).map((text) => ({ ...flagsOf(text), value: masked(text.value) })),
          attributes: list(data.attributes).map((change) => ({
            ...flagsOf(change),
            attributes: this.#drawing.attributes(change.attributes),
          })),
          removes: list(data.removes).map(flagsOf),
          adds: list(data.adds).map((added) => ({
            ...flagsOf(added),
            node: this.#drawing.node(added.node),
          })),
        };
      case INPUT:
        return { ...flags, text: entered(data.text), isChecked: false };
      case STYLE_RULE:
        return {
          ...flags,
          adds: this.#drawing.rules(data.adds),
          removes: numbersOf(data.removes ?? []),
        };
      case STYLE_DECLARATION:
        return {
          ...(numbersOf(data) as Fields),
          ...this.#drawing.declaration(data.set, data.remove),
        };
      case ADOPTED_STYLES:
        return {
          ...(numbersOf(data) as Fields),
          styles: list(data.styles).map((style) => ({
            ...flagsOf(style),
            rules: this.#drawing.rules(style.rules),
          })),
        };
      default:
        return undefined;
    }
  }

  #custom({ tag, payload }: Fields): Fields | undefined {
    if (!isFields(payload)) {
      return undefined;
    }
    switch (tag) {
      case "breadcrumb":
        return { tag, payload: this.#breadcrumb(payload) };
      case "performanceSpan":
        return { tag, payload: this.#span(payload) };
      case "options":
        return { tag, payload: flagsOf(payload) };
      default:
        return undefined;
    }
  }

  #breadcrumb({ timestamp, type, category, level, message, data }: Fields): Fields {
    const given = isFields(data) ? data : {};
    const node = isFields(given.node) ? given.node : undefined;
    const { class: classes } = this.#drawing.attributes(node?.attributes);
    const element =
      node && [node.tagName, ...String(classes ?? "").split(/\s+/)].filter(Boolean).join(".");
    return {
      timestamp: numbersOf(timestamp),
      type: word(type),
      category: this.#scrub(String(category ?? "")),
      level: word(level),
      message: String(category).startsWith("ui.") ? element : this.#scrub(String(message ?? "")),
      data: {
        // Whoever adds a breadcrumb chooses its keys.
        ...numbersIn(given, ["nodeId", "clickCount", "timeAfterClickMs", "count"]),
        ...this.#addresses(given, ["url", "from", "to"]),
        endReason: word(given.endReason),
        node: node && {
          id: numbersOf(node.id),
          tagName: word(node.tagName),
          textContent: "",
          attributes: { class: classes },
        },
      },
    };
  }

  #span({ op, description, data, ...times }: Fields): Fields {
    const given = isFields(data) ? data : {};
    return {
      op: word(op),
      // The name of a measurement, or an address.
      description: /^[\w-]*$/.test(String(description))
        ? description
        : addressOf(description, this.#scrub),
      ...numbersIn(times, ["startTimestamp", "endTimestamp"]),
      data: {
        ...flagsOf(given),
        ...numbersIn(given, ["memory", "nodeIds", "attributions"]),
        ...this.#addresses(given, ["previous"]),
        method: word(given.method),
        rating: word(given.rating),
      },
    };
  }

  #addresses(given: Fields, names: string[]): Fields {
    const known = names.filter((name) => given[name] !== undefined);
    return Object.fromEntries(known.map((name) => [name, addressOf(given[name], this.#scrub)]));
  }
}
