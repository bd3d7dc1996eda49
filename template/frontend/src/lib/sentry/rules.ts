/** The scrubber's rules: `contracts/scrubber.json`, compiled. The file itself explains each field. */

/** A secret that is recognised by its look. */
interface Pattern {
  name: string;
  pattern: string;
  flags?: string;
  check?: string;
  code?: boolean;
}

export interface Rules {
  mask: string;
  max_depth: number;
  max_width: number;
  max_string_length: number;
  sensitive_parts: string[];
  sensitive_keys: string[];
  personal_keys: string[];
  harmless_keys: string[];
  identifier_keys: string[];
  identifier_value: string;
  source_keys: string[];
  assignment: { start: string; value: string; literal: string };
  patterns: Pattern[];
}

const WORD = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+/g;
const MARKER = /\[Filtered(?::[a-z_]+)?\]/g;

/** What stands where the rule of this name found something. */
export const marker = (rule: string) => `[Filtered:${rule}]`;

const MASKED = /^[\\"']*(?:\[Filtered(?::[a-z_]+)?\])?[\\"']*$/;
const LONGEST_MASKED = 100;

/** Whether a text is nothing or a marker, quotes aside. */
export const isMasked = (text: string) => text.length <= LONGEST_MASKED && MASKED.test(text);

/** The words of a key, in lower case and separated by spaces: `x api key` for `X-ApiKey`. */
export function wordsOf(key: string): string {
  return (key.replace(MARKER, "").match(WORD) ?? []).join(" ").toLowerCase();
}

/** Returns a test that tells from its words whether a key holds a secret or something personal. */
export function keyMatcher(rules: Rules): (words: string) => boolean {
  const keys = [...rules.sensitive_keys, ...rules.personal_keys].map((key) => ` ${key} `);
  const harmless = new Set(rules.harmless_keys);
  return (words) => {
    const together = words.replaceAll(" ", "");
    return (
      (keys.some((key) => ` ${words} `.includes(key)) ||
        rules.sensitive_parts.some((part) => together.includes(part))) &&
      !harmless.has(words)
    );
  };
}

/** Returns a function that puts markers where a pattern finds something; its first group stays. */
export function textPattern(rule: Pattern): (text: string) => string {
  const regex = new RegExp(rule.pattern, `g${rule.flags ?? ""}`);
  // Without a group of its own, a pattern's second argument is the offset.
  const replacement = (found: string, first: string | number) =>
    rule.check === "luhn" && !passesLuhn(found)
      ? found
      : (typeof first === "string" ? first : "") + marker(rule.name);
  return (text) => text.replace(regex, replacement);
}

/** Whether the digits of a text end in the check digit that card numbers have (ISO/IEC 7812-1). */
export function passesLuhn(text: string): boolean {
  const digits = Array.from(text.replace(/\D/g, ""), Number).reverse();
  const sum = digits.reduce((total, digit, place) => {
    const value = place % 2 ? digit * 2 : digit;
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
