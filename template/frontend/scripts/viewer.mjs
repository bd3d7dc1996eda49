// Starts the local Sentry viewer: node scripts/viewer.mjs <port>
// Through Spotlight's library and not its command, because the command reports its own use to its makers.
import { readFileSync } from "node:fs";
import { Server } from "node:http";
import { setupSpotlight } from "@spotlightjs/spotlight";

const LOOPBACK = "127.0.0.1";

// The viewer holds the errors of this machine, and Spotlight has no option to keep other machines out.
const listen = Server.prototype.listen;
Server.prototype.listen = function listenOnLoopback(port, ...rest) {
  const callback = rest.find((argument) => typeof argument === "function");
  return listen.call(this, { port, host: LOOPBACK }, callback);
};

const pages = new URL("../ui/", import.meta.resolve("@spotlightjs/spotlight"));
const asset = (name) => readFileSync(new URL(name, pages));
const manifest = JSON.parse(asset("manifest.json").toString());
const files = Object.values(manifest).map((entry) => entry.file);
const filesToServe = Object.fromEntries(
  ["index.html", ...files].map((file) => [file, asset(file)]),
);

await setupSpotlight({ port: Number(process.argv[2]), filesToServe, isStandalone: true });
