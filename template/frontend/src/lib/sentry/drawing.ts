/** Redacts what replays draw: elements, attributes and styles. Made anew of what is known; nothing else is copied. */
import { type Fields, isFields, type Scrubber } from "./scrubber";

/** Attributes that draw a page. What they hold is a word or a size, of `media` what it is for. */
const DRAWN = new Set(
  (
    "type role dir hidden disabled readonly multiple open media rel width height size rows cols wrap colspan rowspan " +
    "span start reversed align valign border cellpadding cellspacing rr_width rr_height rr_scrollLeft rr_scrollTop"
  ).split(" "),
);
const WORD = /^[\w.-]{0,40}$/;
const WORD_OR_SIZE = /^(?:[a-z-]{0,30}|[+-]?[\d.]{1,9}(?:[a-z]{1,4}|%)?)$/;
const MEDIA =
  /^(?:all|screen|print|only|not|and|or|[ ,]|\([a-z-]{1,40}(?:: ?[\w./-]{1,20})?\)){0,40}$/;
/** A number, a length or a colour: what may stand in a custom property. */
const PLAIN =
  /^\s*(?:-?(?:\d{1,5}|\d{0,5}\.\d{1,20})(?:px|p[ct]|r?em|e[xn]|ch|v[hw]|m?s|deg|%)?|#[\da-f]{3,8}|(?:rgba?|hsla?|hwb|(?:ok)?(?:lab|lch))\([\d.,%/ -]*\))\s*$/i;
const TAG = /^[\w:-]{1,60}$/;
const DOCUMENT = 0;
const DOCTYPE = 1;

export const list = (value: unknown) => (Array.isArray(value) ? value.filter(isFields) : []);

/** Every character of a word becomes a star; spaces stay, so that lines break where they did. */
export const masked = (text: unknown) =>
  typeof text === "string" ? text.replace(/\S/g, "*") : null;

/** What somebody enters tells only whether there is something: not even how long a password is. */
export const entered = (text: unknown) => (text ? "***" : "");

export const word = (text: unknown) =>
  typeof text === "string" && WORD.test(text) ? text : undefined;

/** The value of a property of a style; nothing if an application may have put a text into it. */
const plainOf = (name: unknown, value: unknown) =>
  String(name).startsWith("--") && !PLAIN.test(String(value)) ? "" : value;

/** The declarations of an element without the texts in custom properties. */
function withoutTexts(css: string): string {
  if (!/--|\\/.test(css)) {
    return css;
  }
  const { style } = document.createElement("i");
  style.cssText = css;
  for (const name of Array.from(style)) {
    if (plainOf(name, style.getPropertyValue(name)) === "") {
      style.removeProperty(name);
    }
  }
  return style.cssText;
}

/** The same without any text. */
export function numbersOf(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(numbersOf);
  }
  if (!isFields(value)) {
    return typeof value === "string" ? undefined : value;
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, numbersOf(item)]));
}

/** The members that are a number, true, false or null. */
export const flagsOf = (fields: Fields) =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) => value === null || typeof value === "number" || typeof value === "boolean",
    ),
  );

/** Redacts the elements and styles of one recording. */
export class Drawing {
  readonly #scrubber: Scrubber;
  /** The same styles come with each snapshot. */
  readonly #styles = new Map<string, string>();

  constructor(scrubber: Scrubber) {
    this.#scrubber = scrubber;
  }

  /** An element, a text or a document, and what is in it. Throws if it is none. */
  node(node: unknown): Fields {
    if (!isFields(node)) {
      throw new TypeError("a snapshot without nodes");
    }
    const clean: Fields = flagsOf(node);
    if (node.type === DOCTYPE) {
      Object.assign(clean, { name: "html", publicId: "", systemId: "" });
    }
    if (node.type === DOCUMENT) {
      clean.compatMode = word(node.compatMode);
    }
    if (node.tagName !== undefined) {
      clean.tagName = TAG.test(String(node.tagName)) ? node.tagName : "div";
      clean.attributes = this.attributes(node.attributes);
    }
    if (node.textContent !== undefined) {
      clean.textContent = node.isStyle ? this.style(node.textContent) : masked(node.textContent);
    }
    if (node.childNodes !== undefined) {
      clean.childNodes = list(node.childNodes).map((child) => this.node(child));
    }
    return clean;
  }

  /** The attributes that draw an element. */
  attributes(attributes: unknown): Fields {
    const entries = isFields(attributes) ? Object.entries(attributes) : [];
    return Object.fromEntries(entries.map(([name, value]) => [name, this.#attribute(name, value)]));
  }

  #attribute(name: string, value: unknown): unknown {
    switch (name) {
      case "class":
        return typeof value === "string"
          ? this.#scrubber.scrub(value)
          : value === null
            ? null
            : undefined;
      case "style":
        return isFields(value)
          ? this.#changedStyle(value)
          : this.style(typeof value === "string" ? withoutTexts(value) : value);
      case "_cssText":
        return this.style(value);
      case "media":
        return typeof value === "string" && MEDIA.test(value) ? value : undefined;
      case "value":
        return entered(value);
      case "placeholder":
        return masked(value);
      default:
        return DRAWN.has(name)
          ? typeof value === "string"
            ? WORD_OR_SIZE.test(value)
              ? value
              : undefined
            : numbersOf(value)
          : undefined;
    }
  }

  /** A style without what it loads or quotes: addresses, imported styles, texts. */
  style(css: unknown): string | null {
    if (typeof css !== "string") {
      return null;
    }
    const known = this.#styles.get(css);
    if (known !== undefined) {
      return known;
    }
    const drawn = css
      .replace(/\/\*[\s\S]*?(?:\*\/|$)/g, "")
      .replace(/@import\b[^;]*;?/gi, "")
      .replace(
        /(?:url|src|image-set)\((?:"(?:[^"\\]|\\[\s\S])*"?|'(?:[^'\\]|\\[\s\S])*'?|[^)"'])*\)?/gi,
        "none",
      )
      // Selectors quote what they look for, behind a sign.
      .replace(/(=?)(?:"(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?)/g, (quote, sign) =>
        sign ? quote : '""',
      );
    // Rule by rule, because the scrubber cuts long texts.
    const clean = drawn
      .split("}")
      .map((rule) => this.#scrubber.scrubCode(rule))
      .join("}");
    this.#styles.set(css, clean);
    return clean;
  }

  #changedStyle(properties: Fields): Fields {
    const change = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(change)
        : typeof value === "string"
          ? this.style(value)
          : numbersOf(value);
    return Object.fromEntries(
      Object.entries(properties)
        .filter(([name]) => TAG.test(name))
        .map(([name, value]) => [
          name,
          change(plainOf(name, Array.isArray(value) ? value[0] : value) === "" ? "" : value),
        ]),
    );
  }

  /** Rules added to a style. */
  rules(rules: unknown): Fields[] {
    return list(rules).map((rule) => ({
      ...(numbersOf(rule) as Fields),
      rule: this.style(rule.rule) ?? "",
    }));
  }

  /** A property that is set in a rule or removed from it. */
  declaration(set: unknown, remove: unknown): Fields {
    const property = (given: Fields) => word(given.property);
    return {
      ...(isFields(set) && {
        set: {
          property: property(set),
          value: this.style(plainOf(set.property, set.value)),
          priority: word(set.priority),
        },
      }),
      ...(isFields(remove) && { remove: { property: property(remove) } }),
    };
  }
}
