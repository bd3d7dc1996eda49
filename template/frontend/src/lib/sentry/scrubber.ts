/**
 * The scrubber redacts: it returns a copy of any JSON in which nothing secret is left. It knows neither the
 * SDK nor the shape of events: every key and every text goes through the same rules, which both sides of the
 * application share. It accepts anything, and its work is bounded by the limits of the rules.
 */
import { isMasked, keyMatcher, marker, type Rules, textPattern, wordsOf } from "./rules";

const ATTRIBUTE_KEYS = ["value", "type", "unit"];
const SMALLEST_SCRUBBED_NUMBER = 1e11;
const KEY_CACHE_SIZE = 4096;

interface Key {
  text: string;
  words: string;
  sensitive: boolean;
}

export type Fields = Record<string, unknown>;

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
  readonly #isSensitive: (words: string) => boolean;
  readonly #patterns: ((text: string) => string)[];
  readonly #codePatterns: ((text: string) => string)[];
  readonly #identifier: RegExp;
  readonly #start: RegExp;
  readonly #value: RegExp;
  readonly #literal: RegExp;
  readonly #keys = new Map<string, Key>();

  constructor(rules: Rules) {
    this.#rules = rules;
    this.#isSensitive = keyMatcher(rules);
    this.#patterns = rules.patterns.map(textPattern);
    this.#codePatterns = rules.patterns.filter(({ code }) => code !== false).map(textPattern);
    this.#identifier = new RegExp(rules.identifier_value);
    this.#start = new RegExp(rules.assignment.start, "gi");
    this.#value = new RegExp(rules.assignment.value, "iy");
    this.#literal = new RegExp(rules.assignment.literal, "iy");
  }

  /** Returns a copy without secrets. */
  scrub(value: unknown): unknown {
    return this.#scrub(value, "", 0);
  }

  /** Scrubs what stands at `depth` under a key of these `words`. */
  #scrub(value: unknown, words: string, depth: number): unknown {
    if (value === null || value === undefined || typeof value === "boolean") {
      return value;
    }
    if (typeof value === "string") {
      return this.#scrubString(value, words, depth);
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
    return isArray ? this.#scrubArray(value, words, depth) : this.#scrubFields(value, depth);
  }

  #scrubFields(fields: Fields, depth: number): Fields {
    const entries = Object.entries(fields).slice(0, this.#rules.max_width);
    return Object.fromEntries(
      entries.map(([name, item]) => {
        const key = this.#readKey(name);
        return [
          key.text,
          key.sensitive ? this.#mask(item) : this.#scrub(item, key.words, depth + 1),
        ];
      }),
    );
  }

  #scrubArray(items: unknown[], words: string, depth: number): unknown[] {
    let followsOption = false;
    return items.slice(0, this.#rules.max_width).map((item) => {
      const isOption = typeof item === "string" && item.startsWith("-");
      const isItsValue = followsOption && typeof item === "string" && !isOption;
      followsOption = isOption && this.#readKey(item).sensitive;
      if (isItsValue) {
        return this.#mask(item);
      }
      const key = depth + 1 < this.#rules.max_depth && this.#sensitiveKeyOfPair(item);
      return key ? [key.text, this.#mask(key.value)] : this.#scrub(item, words, depth + 1);
    });
  }

  #sensitiveKeyOfPair(item: unknown): { text: string; value: unknown } | undefined {
    if (!Array.isArray(item) || item.length !== 2 || typeof item[0] !== "string") {
      return undefined;
    }
    const { text, sensitive } = this.#readKey(item[0]);
    return sensitive ? { text, value: item[1] } : undefined;
  }

  #mask(value: unknown): unknown {
    if (value === null || value === undefined || typeof value === "boolean" || value === "") {
      return value;
    }
    if (isFields(value) && "value" in value && Object.keys(value).every(isAttributeKey)) {
      return { value: this.#mask(value.value), type: "string" };
    }
    return this.#rules.mask;
  }

  #scrubNumber(value: number): number | string {
    if (!Number.isFinite(value)) {
      return String(value);
    }
    if (!Number.isInteger(value) || Math.abs(value) < SMALLEST_SCRUBBED_NUMBER) {
      return value;
    }
    const text = this.#scrubText(String(value), 0, false);
    return text === String(value) ? value : text;
  }

  #scrubString(text: string, words: string, depth: number): string {
    if (this.#rules.identifier_keys.includes(words) && this.#identifier.test(text)) {
      return text;
    }
    return this.#scrubText(text, depth, this.#rules.source_keys.includes(words));
  }

  #scrubText(given: string, depth: number, isCode: boolean): string {
    const text = this.#cut(given);
    if (!isCode && (text.startsWith("{") || text.startsWith("["))) {
      const rewritten = this.#scrubJson(text, depth);
      if (rewritten !== undefined) {
        return this.#cut(rewritten);
      }
    }
    const patterns = isCode ? this.#codePatterns : this.#patterns;
    const marked = patterns.reduce((result, replace) => replace(result), text);
    return this.#cut(this.#scrubAssignments(marked, isCode ? this.#literal : this.#value));
  }

  /** Returns JSON text without secrets, or undefined when it is no JSON or has none. */
  #scrubJson(text: string, depth: number): string | undefined {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    const scrubbed = JSON.stringify(this.#scrub(value, "", depth + 1));
    return scrubbed === JSON.stringify(value) ? undefined : scrubbed;
  }

  #scrubAssignments(text: string, value: RegExp): string {
    let result = "";
    let position = 0;
    for (const start of text.matchAll(this.#start)) {
      if (start.index < position || !this.#isSensitive(wordsOf(start[1] ?? ""))) {
        continue;
      }
      const end = start.index + start[0].length;
      value.lastIndex = end;
      const found = value.exec(text)?.[0];
      if (found !== undefined && !isMasked(found)) {
        result += text.slice(position, end) + this.#rules.mask;
        position = end + found.length;
      }
    }
    return result + text.slice(position);
  }

  #cut(text: string): string {
    const limit = this.#rules.max_string_length;
    if (text.length <= limit) {
      return text;
    }
    const end = marker("length");
    // The last word may be half a secret, which no pattern would recognise.
    const kept = text.slice(0, limit - end.length);
    const spaces = [" ", "\t", "\r", "\n"].map((space) => kept.lastIndexOf(space));
    return kept.slice(0, Math.max(...spaces) + 1) + end;
  }

  #readKey(key: string): Key {
    const known = this.#keys.get(key);
    if (known) {
      return known;
    }
    const words = wordsOf(key);
    const read = {
      text: this.#scrubText(key, 0, false),
      words,
      sensitive: this.#isSensitive(words),
    };
    if (this.#keys.size < KEY_CACHE_SIZE) {
      this.#keys.set(key, read);
    }
    return read;
  }
}

const isAttributeKey = (key: string) => ATTRIBUTE_KEYS.includes(key);
