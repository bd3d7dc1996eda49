/** Names elements by structure: tags and classes are the program's, ids, labels and values may be the person's. */

/** Elements that one name has. */
const MAX_DEPTH = 4;

/**
 * What an element is, and where in the page. The build puts it in place of the SDK's `htmlTreeAsString`, which quotes ids
 * and labels, and says this of what is no element.
 */
export function structureOf(element: unknown): string {
  const names: string[] = [];
  let current = element instanceof Element ? element : null;
  while (current && names.length < MAX_DEPTH) {
    const classes = Array.from(current.classList, (name) => `.${name}`).join("");
    names.unshift(current.localName + classes);
    current = current.parentElement === document.body ? null : current.parentElement;
  }
  return names.join(" > ") || "<unknown>";
}
