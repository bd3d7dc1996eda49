// Starts the local Sentry viewer: node scripts/viewer.mjs <port> [<address to listen on, default 127.0.0.1>]
// Spotlight through its library, because its command and its page report their own use to their makers.
import { readFileSync } from "node:fs";
import { Server } from "node:http";
import { setupSpotlight } from "@spotlightjs/spotlight";

const [PORT, HOST = "127.0.0.1"] = process.argv.slice(2);
const TELEMETRY_HOST = " https://*.sentry.io";

// The viewer holds the errors of this machine, and Spotlight has no option to keep other machines out.
const listen = Server.prototype.listen;
Server.prototype.listen = function listenOnHost(port, ...rest) {
  const callback = rest.find((argument) => typeof argument === "function");
  return listen.call(this, { port, host: HOST }, callback);
};

const folder = new URL("../ui/", import.meta.resolve("@spotlightjs/spotlight"));
const read = (name) => readFileSync(new URL(name, folder));
const manifest = JSON.parse(read("manifest.json").toString());
const names = Object.values(manifest).flatMap(({ file, css = [] }) => [file, ...css]);

const page = read("index.html").toString();
if (!page.includes(TELEMETRY_HOST)) {
  throw new Error(
    "Spotlight's page has another security policy: see that it still reports to nobody.",
  );
}
const filesToServe = {
  ...Object.fromEntries(names.map((name) => [name, read(name)])),
  "index.html": Buffer.from(page.replace(TELEMETRY_HOST, "")),
};

await setupSpotlight({ port: Number(PORT), filesToServe, isStandalone: true });
