/**
 * What the SDK quotes from the page: attributes and ids of elements, keys and values of thrown objects, names that code
 * makes up. No rule knows such text by its key or its look, so only what is structure stays.
 */
import { marker } from "./rules";
import { type Fields, isFields } from "./scrubber";

/** Attributes of spans that hold the path of an element. */
const PATHS = /(?:^|\.)(?:lcp\.element|cls\.source\.[0-9]+|inp\.target)$/;
/** Attributes of spans that hold what a page or its code calls something. */
const TEXTS = /(?:^|\.)(?:lcp\.id|ui\.element\.id(?:entifier)?|measure\.detail(?:\..*)?)$/;
/** Members, attributes and headers that hold an address. */
const ADDRESSES = /(?:^|\.)(?:urls?|url\.full|filename|abs_path|file(?:\.|_?)path|referr?er)$/i;
/** Attributes of spans that hold the name of a function. */
const FUNCTIONS = /(?:^|\.)code\.function(?:\.name)?$/;
/** What started a long animation frame: `BUTTON#save.onclick`, `IMG[src=…].onload`, the address of a script. */
const INVOKER = /(?:^|\.)script\.invoker$/;
/** Spans whose name is the path of an element. */
const NAMED_BY_PATH = /^ui\.(?:interaction|webvital)\b/;
/** Spans whose name is an address, or ends with one. */
const NAMED_BY_ADDRESS = /^(?:browser|resource)\.|^http\.client/;

const NAME = /^[\p{ID_Continue}$]+$/u;
const CLASS = /^(React ErrorBoundary )?[\p{ID_Continue}$.]{1,80}$/u;
const FUNCTION =
  /^(?:(?:async|new|get|set|static|bound|global|module|eval) )*[\p{ID_Continue}$#.<>/[\]*?~]+(?: \[as [\p{ID_Continue}$#.]+\]| \(index \d+\)| code)?$/u;
const PATH = /^[\w\-.:/%()[\]!@<> ]*$/;

/** An address without query and fragment, whatever signs these are made of. */
export const withoutQuery = (text: string) => text.replace(/[?#].*/s, "");

const named = (text: string, look: RegExp) => (look.test(text) ? text : marker("name"));

/** `form > button.wide` of `form#of-jane > button.wide[title="Jane"]`. */
export function pathOf(text: string): string {
  const bare = text.replace(/\[[\w-]+=".*?"\](?=\[| > |$)|#.+?(?=\[| > |$)/gs, "");
  return PATH.test(bare) ? bare : marker("element");
}

/** The payload of an item, which the rules have redacted, without quotes. */
export function withoutQuotes(value: unknown, key = ""): unknown {
  if (typeof value === "string") {
    return textWithoutQuotes(value, key);
  }
  if (Array.isArray(value)) {
    return value.map((item) => withoutQuotes(item, key));
  }
  if (!isFields(value)) {
    return value;
  }
  if (key === "__serialized__") {
    return typesOf(value);
  }
  const entries = Object.entries(value).map(([name, item]): [string, unknown] => [
    name,
    // An attribute is an object of a value and its type.
    withoutQuotes(item, name === "value" && key.includes(".") ? key : name),
  ]);
  return withoutNames(Object.fromEntries(entries));
}

function textWithoutQuotes(text: string, key: string): string {
  if (TEXTS.test(key)) {
    return marker("text");
  }
  if (INVOKER.test(key)) {
    return text.replace(/[?#[].*/s, "");
  }
  if (ADDRESSES.test(key)) {
    return withoutQuery(text);
  }
  if (FUNCTIONS.test(key)) {
    return named(text, FUNCTION);
  }
  return PATHS.test(key) ? pathOf(text) : text;
}

/** Reduces the names in a span, an exception or a frame, which are known by their members. */
function withoutNames(fields: Fields): Fields {
  const { op, description, name, attributes, type, value, filename, category } = fields;
  const operation = op ?? attributeOf(attributes, "sentry.op");
  const shorten = [
    [NAMED_BY_PATH, pathOf] as const,
    [NAMED_BY_ADDRESS, withoutQuery] as const,
  ].find(([look]) => look.test(String(operation)))?.[1];
  if (shorten) {
    const label = description === undefined ? "name" : "description";
    fields[label] = shorten(String(description ?? name ?? ""));
  }
  if ("mechanism" in fields || "stacktrace" in fields) {
    fields.type = typeof type === "string" ? named(type, CLASS) : type;
    fields.value = typeof value === "string" ? withoutKeys(value) : value;
  }
  if (category === "sentry.event") {
    // The breadcrumb of an event, which quotes its error once more.
    delete fields.message;
  }
  if (filename !== undefined && typeof fields.function === "string") {
    fields.function = named(fields.function, FUNCTION);
  }
  return fields;
}

function attributeOf(attributes: unknown, name: string): unknown {
  const attribute = isFields(attributes) ? attributes[name] : undefined;
  return isFields(attribute) ? attribute.value : undefined;
}

/** The SDK's sentence about a thrown object, with its keys as far as they are names. */
const withoutKeys = (text: string) =>
  text.replace(
    /( captured as [a-z ]+ with keys: )(.*)$/s,
    (_, sentence: string, keys: string) =>
      sentence +
      keys
        .split(", ")
        .map((key) => named(key.replace(/\.\.\.$/, ""), NAME))
        .join(", "),
  );

/** What is left of a thrown object: keys that are names, and the types of their values. */
const typesOf = (fields: Fields) =>
  Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      named(key, NAME),
      Array.isArray(value) ? "array" : typeof value,
    ]),
  );
