/**
 * Runs before everything else, inlined into `index.html`: keeps errors and rejections from the first byte on, with the
 * moment of each. `boot.ts` takes the list over and puts its own `push` there, so these stay the page's only listeners.
 */
{
  const kept = [];
  const keep = (event) => {
    // The beginning of a storm tells most of it.
    if (kept.length < 100) {
      kept.push([event, Date.now(), location.href]);
    }
  };
  addEventListener("error", keep);
  addEventListener("unhandledrejection", keep);
  window.earlyErrors = kept;
  // The depth that the SDK asks for, needed before the SDK is there to ask.
  Error.stackTraceLimit = 50;
}
