// Prints what a first visit loads, compressed, and fails when the budget is broken.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const folder = new URL("../../robot_rl/server/console/", import.meta.url).pathname;
const BUDGET_KB = 200;

const manifest = JSON.parse(readFileSync(join(folder, ".vite/manifest.json"), "utf8"));
const size = (file) => gzipSync(readFileSync(join(folder, file))).length / 1000;

function reach(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const next of manifest[key].imports ?? []) reach(next, seen);
  return seen;
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const first = reach(entry);
const main = [...first].reduce((sum, key) => sum + size(manifest[key].file), 0);
const styles = [...first].flatMap((key) => manifest[key].css ?? []);

console.log(`main ${main.toFixed(0)} kB gzip (budget ${BUDGET_KB})`);
for (const file of styles) console.log(`styles ${size(file).toFixed(0)} kB gzip`);
for (const [key, chunk] of Object.entries(manifest)) {
  if (chunk.isDynamicEntry) console.log(`lazy ${key} ${size(chunk.file).toFixed(0)} kB gzip`);
}
if (main > BUDGET_KB) {
  console.error(
    `The main bundle is ${main.toFixed(0)} kB, more than ${BUDGET_KB}: load something lazily.`,
  );
  process.exit(1);
}
