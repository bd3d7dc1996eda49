/** A page that is fetched when somebody goes there. */
export function Component() {
  return <h1>The late page</h1>;
}
