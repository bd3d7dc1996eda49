/**
 * The scrubber redacts: it returns a copy of any JSON in which nothing secret is left. It knows neither the
 * SDK nor the shape of events: every key and every text goes through the same rules, which both sides of the
 * application share. It accepts anything, and its work is bounded by the limits of the rules.
 */
import {
  type IsSensitive,
  keyMatcher,
  marker,
  type Rules,
  type TextScrubber,
  textScrubber,
  wordsOf,
} from "./rules";

const ATTRIBUTE_KEYS = ["value", "type", "unit"];
const SMALLEST_SCRUBBED_NUMBER = 1e11;
const KEY_CACHE_SIZE = 4096;
const LONGEST_ADDRESS = 64;
const LONGEST_PATH = 20;
// The backend's frame variables hold the repr of each element.
const OPTION = /^b?['"]{0,3}-/;

interface Key {
  text: string;
  sensitive: boolean;
  kind: "identifier" | "source" | "address" | "";
  members: readonly string[] | undefined;
}

/** What one call may still look at, in the unit of the rules' `max_size`. */
interface Budget {
  left: number;
}

export type Fields = Record<string, unknown>;

const NO_KEY: Key = { text: "", sensitive: false, kind: "", members: undefined };

/** Objects of classes are refused, as nobody knows what they turn into when they are sent. */
export function isFields(value: unknown): value is Fields {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export class Scrubber {
  readonly #rules: Rules;
  readonly #isSensitive: IsSensitive;
  readonly #text: TextScrubber;
  readonly #code: TextScrubber;
  readonly #identifier: RegExp;
  readonly #address: RegExp;
  readonly #members: ReadonlyMap<string, readonly string[]>;
  readonly #keys = new Map<string, Key>();

  /** `extraKeys` are the project's own sensitive keys, in any spelling. */
  constructor(rules: Rules, extraKeys: readonly string[] = []) {
    this.#rules = rules;
    this.#isSensitive = keyMatcher(rules, extraKeys);
    this.#text = textScrubber(rules, this.#isSensitive, false);
    this.#code = textScrubber(rules, this.#isSensitive, true);
    this.#identifier = new RegExp(rules.identifier_value);
    this.#address = new RegExp(rules.address_value);
    // A plain object also answers to what every object inherits: a key may be called "constructor".
    this.#members = new Map(Object.entries(rules.personal_objects));
  }

  /** Returns a copy without secrets. */
  scrub(value: unknown): unknown {
    return this.#scrub(value, NO_KEY, 0, { left: this.#rules.max_size });
  }

  /** Returns a line of source code without secrets. */
  scrubCode(text: string): string {
    return this.#code.scrub(text);
  }

  /** Scrubs what stands at `depth` under a key. */
  #scrub(value: unknown, key: Key, depth: number, budget: Budget): unknown {
    if (value === null || value === undefined || typeof value === "boolean") {
      return value;
    }
    if (typeof value === "string") {
      return this.#scrubString(value, key, depth, budget);
    }
    if (typeof value === "number") {
      return this.#scrubNumber(value);
    }
    const isArray = Array.isArray(value);
    if (!isArray && !isFields(value)) {
      return marker("type");
    }
    if (depth >= this.#rules.max_depth) {
      return marker("depth");
    }
    if (budget.left <= 0) {
      return marker("size");
    }
    const count = isArray ? value.length : Object.keys(value).length;
    budget.left -= this.#rules.value_size * Math.min(count, this.#rules.max_width);
    return isArray
      ? this.#scrubArray(value, key, depth, budget)
      : this.#scrubFields(value, key, depth, budget);
  }

  #scrubFields(fields: Fields, { members }: Key, depth: number, budget: Budget): Fields {
    const names = Object.keys(fields);
    const masksValue = this.#rules.named_values.values.some((name) => Object.hasOwn(fields, name))
      ? this.#namesASecret(fields)
      : false;
    const entries = this.#first(names).map((name): [string, unknown] => {
      const key = this.#readKey(name);
      const item = fields[name];
      if (key.sensitive || (masksValue && this.#rules.named_values.values.includes(name))) {
        return [key.text, this.#mask(item, this.#rules.mask)];
      }
      return members && !members.includes(name)
        ? [key.text, this.#mask(item, marker("user"))]
        : [key.text, this.#scrub(item, key, depth + 1, budget)];
    });
    if (names.length > this.#rules.max_width) {
      entries.push([marker("width"), marker("width")]);
    }
    return Object.fromEntries(entries);
  }

  #scrubArray(items: unknown[], key: Key, depth: number, budget: Budget): unknown[] {
    const pair = this.#sensitivePair(items, key);
    if (pair) {
      return [pair.text, this.#mask(items[1], this.#rules.mask)];
    }
    let followsOption = false;
    const result = this.#first(items).map((item) => {
      const isOption = typeof item === "string" && OPTION.test(item);
      const isItsValue = followsOption && typeof item === "string" && !isOption;
      followsOption = isOption && this.#readKey(item).sensitive;
      return isItsValue
        ? this.#mask(item, this.#rules.mask)
        : this.#scrub(item, key, depth + 1, budget);
    });
    return items.length > this.#rules.max_width ? [...result, marker("width")] : result;
  }

  /** The items, or as many of them as leave room for a marker. */
  #first<T>(items: T[]): T[] {
    const limit = this.#rules.max_width;
    return items.length <= limit ? items : items.slice(0, limit - 1);
  }

  #sensitivePair(items: unknown[], { kind }: Key): Key | undefined {
    const [name] = items;
    if (items.length !== 2 || kind === "source" || typeof name !== "string") {
      return undefined;
    }
    const first = name.includes(" ") || OPTION.test(name) ? NO_KEY : this.#readKey(name);
    return first.sensitive ? first : undefined;
  }

  /** Whether a member of an object gives a sensitive name to another one. */
  #namesASecret(fields: Fields): boolean {
    return this.#rules.named_values.names
      .flatMap((member) => {
        const given = fields[member];
        return Array.isArray(given) ? given.slice(0, LONGEST_PATH) : [given];
      })
      .some((name) => typeof name === "string" && this.#readKey(name).sensitive);
  }

  #mask(value: unknown, mask: string): unknown {
    if (value === null || value === undefined || typeof value === "boolean" || value === "") {
      return value;
    }
    if (isFields(value) && "value" in value && Object.keys(value).every(isAttributeKey)) {
      return {
        value: isFields(value.value) ? mask : this.#mask(value.value, mask),
        type: "string",
      };
    }
    return mask;
  }

  #scrubNumber(value: number): number | string {
    if (!Number.isFinite(value)) {
      return String(value);
    }
    if (!Number.isInteger(value) || Math.abs(value) < SMALLEST_SCRUBBED_NUMBER) {
      return value;
    }
    const text = String(value);
    const scrubbed = this.#code.scrub(text);
    return text === scrubbed ? value : scrubbed;
  }

  #scrubString(text: string, { kind }: Key, depth: number, budget: Budget): string {
    if (kind === "identifier" && this.#identifier.test(text)) {
      return text;
    }
    if (kind === "address" && text.length < LONGEST_ADDRESS && this.#address.test(text)) {
      return marker("client_address");
    }
    const given = Math.min(text.length, this.#rules.max_string_length);
    const isLong = given > this.#rules.value_size;
    if (isLong && budget.left <= 0) {
      return marker("size");
    }
    budget.left -= isLong ? given : 0;
    const result =
      kind === "source" ? this.#code.scrub(text) : this.#scrubText(text, depth, budget);
    budget.left -= isLong ? Math.max(0, result.length - given) : 0;
    return result;
  }

  #scrubText(given: string, depth: number, budget: Budget): string {
    const text = this.#text.cut(given);
    const isData = /^[ \t\r\n]*[{[]/.test(text);
    const rewritten = isData ? this.#scrubJson(text, depth, budget) : undefined;
    return rewritten === undefined ? this.#text.scrub(text) : this.#text.cut(rewritten);
  }

  /** Returns JSON text without secrets, or undefined when it is no JSON in which each key comes once. */
  #scrubJson(text: string, depth: number, budget: Budget): string | undefined {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    if (keysIn(value) !== keysInText(text)) {
      return undefined;
    }
    const scrubbed = JSON.stringify(this.#scrub(value, NO_KEY, depth + 1, budget));
    return scrubbed === JSON.stringify(value) ? text : scrubbed;
  }

  #readKey(name: string): Key {
    const known = this.#keys.get(name);
    if (known) {
      return known;
    }
    const words = wordsOf(name);
    const key: Key = {
      text: this.#scrubText(name, 0, { left: name.length }),
      sensitive: this.#isSensitive(words),
      kind: this.#kindOf(words),
      members: this.#members.get(words),
    };
    if (this.#keys.size < KEY_CACHE_SIZE && key.text === name) {
      this.#keys.set(name, key);
    }
    return key;
  }

  #kindOf(words: string): Key["kind"] {
    const { identifier_keys, source_keys, address_keys } = this.#rules;
    if (identifier_keys.includes(words)) {
      return "identifier";
    }
    if (source_keys.includes(words)) {
      return "source";
    }
    return address_keys.includes(words) ? "address" : "";
  }
}

/** How many keys JSON text has, also those that come twice, of which the reader keeps only the last. */
function keysInText(text: string): number {
  const strings = text.matchAll(/"(?:[^"\\]|\\.)*"([ \t\r\n]*:)?/g);
  return [...strings].filter(([, colon]) => colon !== undefined).length;
}

function keysIn(value: unknown): number {
  const open = [value];
  let count = 0;
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === "object" && next !== null) {
      count += Array.isArray(next) ? 0 : Object.keys(next).length;
      open.push(...Object.values(next));
    }
  }
  return count;
}

const isAttributeKey = (key: string) => ATTRIBUTE_KEYS.includes(key);
