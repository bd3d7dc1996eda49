/** The scrubber's rules: `contracts/scrubber.json`, compiled. The file itself explains each field. */

/** A secret that is recognised by its look. */
interface Pattern {
  name: string;
  pattern: string;
  needs?: string[];
  flags?: string;
  before?: string;
  check?: string;
  keyed?: boolean;
  personal?: boolean;
  code?: boolean;
  text?: boolean;
}

export interface Rules {
  mask: string;
  max_depth: number;
  max_width: number;
  max_string_length: number;
  max_size: number;
  value_size: number;
  sensitive_parts: string[];
  harmless_parts: string[];
  sensitive_keys: string[];
  personal_keys: string[];
  harmless_keys: string[];
  protocol_keys: string[];
  identifier_keys: string[];
  identifier_value: string;
  address_keys: string[];
  address_value: string;
  personal_objects: Record<string, string[]>;
  named_values: { names: string[]; values: string[] };
  source_keys: string[];
  assignment: { sign: string; value: string; literal: string };
  patterns: Pattern[];
}

export type IsSensitive = (words: string) => boolean;

export interface TextScrubber {
  /** The text without secrets. */
  scrub(text: string): string;
  /** The text, no longer than allowed. */
  cut(text: string): string;
}

const WORD = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[\u0080-\uffff]+/g;
const BREAK = /\[Filtered(?::[a-z_]+)?\]?|%[0-9A-Fa-f]{2}|\\(?:u[0-9A-Fa-f]{4}|[bfnrt])/g;
const MASKED = /^[\\"']*(?:\[Filtered(?::[a-z_]+)?\])?[\\"']*$/;
const LONGEST_MASKED = 100;
const LONGEST_BEFORE = 40;
const LONGEST_NAME = 64;
const GAP = "\\\"'] \t";
const NAME = /[A-Za-z0-9_.\-%\\[\]]/;

/** What stands where the rule of this name found something. */
export const marker = (rule: string) => `[Filtered:${rule}]`;

/** Whether a text is nothing or a marker, quotes aside. */
const isMasked = (text: string) => text.length <= LONGEST_MASKED && MASKED.test(text);

/** The words of a key, in lower case and separated by spaces: `x api key` for `X-ApiKey`. */
export function wordsOf(key: string): string {
  return (key.replace(BREAK, " ").match(WORD) ?? []).join(" ").toLowerCase();
}

/**
 * Returns a test that tells from its words whether a key holds a secret or something personal. The project's
 * own keys outrank the rules' harmless ones, not those of the protocol.
 */
export function keyMatcher(rules: Rules, extraKeys: readonly string[] = []): IsSensitive {
  const own = extraKeys.map(wordsOf).filter((words) => words !== "");
  const joined = own.map((words) => words.replaceAll(" ", ""));
  const keys = [...rules.sensitive_keys, ...rules.personal_keys, ...own, ...joined];
  const spaced = keys.map((key) => ` ${key} `);
  const harmless = new Set([
    ...rules.harmless_keys.filter((key) => !own.includes(key)),
    ...rules.protocol_keys,
  ]);
  return (words) => {
    const together = rules.harmless_parts.reduce(
      (text, part) => text.replaceAll(part, ""),
      words.replaceAll(" ", ""),
    );
    return (
      (spaced.some((key) => ` ${words} `.includes(key)) ||
        rules.sensitive_parts.some((part) => together.includes(part))) &&
      !harmless.has(words)
    );
  };
}

/** Applies the rules to text, or to source code, which names values without giving them. */
export function textScrubber(
  rules: Rules,
  isSensitive: IsSensitive,
  isCode: boolean,
): TextScrubber {
  const patterns = rules.patterns
    .filter(({ code, text }) => (isCode ? code : text) !== false)
    .map((pattern) => textPattern(pattern, isSensitive));
  const signs = new RegExp(rules.assignment.sign, "g");
  const value = new RegExp(isCode ? rules.assignment.literal : rules.assignment.value, "iy");
  const limit = rules.max_string_length;
  const end = marker("length");

  function cut(text: string): string {
    if (text.length <= limit) {
      return text;
    }
    // The last word may be half a secret, which no pattern would recognise.
    const kept = text.slice(0, limit - end.length);
    const spaces = [" ", "\t", "\r", "\n"].map((space) => kept.lastIndexOf(space));
    return kept.slice(0, Math.max(...spaces) + 1) + end;
  }

  function scrubAssignments(text: string): string {
    let result = "";
    let position = 0;
    for (const sign of text.matchAll(signs)) {
      const name = nameBefore(text, position, sign.index);
      if (name === "" || !isSensitive(wordsOf(name))) {
        continue;
      }
      value.lastIndex = sign.index + sign[0].length;
      const found = value.exec(text);
      if (found && !isMasked(found[0])) {
        result += text.slice(position, found.index) + rules.mask;
        position = found.index + found[0].length;
      }
    }
    return result + text.slice(position);
  }

  const scrub = (text: string) =>
    cut(scrubAssignments(patterns.reduce((result, replace) => replace(result), cut(text))));
  return { scrub, cut };
}

/** Returns a function that puts markers where a pattern finds something; its first group stays. */
function textPattern(rule: Pattern, isSensitive: IsSensitive): (text: string) => string {
  const regex = new RegExp(rule.pattern, `g${rule.flags ?? ""}`);
  const before = rule.before === undefined ? undefined : new RegExp(rule.before);
  const passes = CHECKS[rule.check ?? ""];
  // Behind the groups, if there are any, come the offset and the whole text.
  const replacement = (found: string, ...others: (string | number | undefined)[]) => {
    const offset = others.at(-2) as number;
    const kept = typeof others[0] === "string" && others.length > 2 ? others[0] : "";
    const isOther =
      isMasked(found.slice(kept.length)) ||
      passes?.(found) === false ||
      (rule.keyed && !isSensitive(wordsOf(String(others[1])))) ||
      before?.test(String(others.at(-1)).slice(Math.max(0, offset - LONGEST_BEFORE), offset)) ===
        false;
    return isOther ? found : kept + marker(rule.name);
  };
  return (text) =>
    !rule.needs || rule.needs.some((need) => text.includes(need))
      ? text.replace(regex, replacement)
      : text;
}

/** The name directly before `end`, quotes and brackets aside; it begins at `start` or later. */
function nameBefore(text: string, start: number, end: number): string {
  const first = Math.max(start, end - LONGEST_NAME);
  let last = end;
  while (last > first && GAP.includes(text.charAt(last - 1))) {
    last -= 1;
  }
  let begin = last;
  while (begin > first && NAME.test(text.charAt(begin - 1))) {
    begin -= 1;
  }
  return text.slice(first, begin).endsWith("[Filtered:") ? "" : text.slice(begin, last);
}

/**
 * Whether groups of digits that follow each other make a card number: 13 to 19 digits that end in a check digit
 * (ISO/IEC 7812-1). What stands beside it, as an expiry date does, does not hide it.
 */
function passesLuhn(text: string): boolean {
  const groups = text.replaceAll("%20", " ").match(/[0-9]+/g) ?? [];
  return groups.some((_, first) =>
    groups.some((__, last) => {
      const digits = groups.slice(first, last + 1).join("");
      return /^[2-6][0-9]{12,18}$/.test(digits) && luhnSum(digits) % 10 === 0;
    }),
  );
}

function luhnSum(digits: string): number {
  return Array.from(digits, Number)
    .reverse()
    .reduce((total, digit, place) => {
      const value = place % 2 ? digit * 2 : digit;
      return total + (value > 9 ? value - 9 : value);
    }, 0);
}

/** Whether a text is an account number with a valid checksum (ISO 13616), perhaps with a word behind it. */
function passesIban(text: string): boolean {
  const groups = text.replaceAll("%20", " ").match(/[A-Z0-9]+/g) ?? [];
  return [0, 1, 2].some((fewer) => {
    const number = groups.slice(0, Math.max(0, groups.length - fewer)).join("");
    const digits = Array.from(number.slice(4) + number.slice(0, 4), (sign) =>
      Number.parseInt(sign, 36),
    );
    return digits.reduce((rest, digit) => (rest * (digit > 9 ? 100 : 10) + digit) % 97, 0) === 1;
  });
}

const CHECKS: Record<string, (text: string) => boolean> = { luhn: passesLuhn, iban: passesIban };
