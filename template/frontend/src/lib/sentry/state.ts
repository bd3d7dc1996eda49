/** What the application says about its state: which keys it has, and of which type they are. Never a value. */

/** Deeper things are called by their type. */
const MAX_DEPTH = 3;
/** Keys of one object, and providers. */
const MAX_WIDTH = 20;
/** Keys of all that one event carries. */
const MAX_KEYS = 200;
/** What somebody wrote into the program. Other keys are data: of a dictionary of people, for example. */
const NAME = /^(?!.*\d{4})[a-z_$][\w$]{0,39}$/i;

type StateProvider = () => unknown;

const providers = new Map<string, StateProvider>();

/** Has `provider` asked for the state when an event is made. The same name again replaces it. */
export function describeState(name: string, provider: StateProvider): void {
  if (providers.has(name) || providers.size < MAX_WIDTH) {
    providers.set(name, provider);
  }
}

/** The shapes of all states by their name; without those that cannot be read. */
export function stateShapes(): Record<string, unknown> {
  const budget = { left: MAX_KEYS };
  return Object.fromEntries(
    [...providers].flatMap(([name, provider]) => {
      try {
        return [[name, shapeOf(provider(), 0, budget)]];
      } catch {
        return [];
      }
    }),
  );
}

/** Keys and types of a value; of a list, those of its first item. Throws what getters throw. */
export function shapeOf(value: unknown, depth = 0, budget = { left: MAX_KEYS }): unknown {
  if (value === null) {
    return "null";
  }
  if (typeof value !== "object") {
    return typeof value;
  }
  if (depth === MAX_DEPTH) {
    return Array.isArray(value) ? "array" : "object";
  }
  if (Array.isArray(value)) {
    return value.slice(0, 1).map((item) => shapeOf(item, depth + 1, budget));
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return "object";
  }
  const keys = Object.keys(value);
  const shown = keys.filter((key) => NAME.test(key)).slice(0, Math.min(MAX_WIDTH, budget.left));
  budget.left -= shown.length;
  const shape = Object.fromEntries(
    shown.map((key) => [key, shapeOf(Reflect.get(value, key), depth + 1, budget)]),
  );
  return shown.length < keys.length ? { ...shape, "…": "more" } : shape;
}
