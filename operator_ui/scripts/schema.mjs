// Writes src/api from the server's schema: openapi.json as the server prints it, then its types.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const root = fileURLToPath(new URL("../../", import.meta.url));
const document = new URL("../src/api/openapi.json", import.meta.url);
const types = new URL("../src/api/schema.d.ts", import.meta.url);

const python = process.env.PYTHON ?? ".venv/bin/python";
execFileSync(python, ["-m", "robot_rl.server.openapi_file", fileURLToPath(document)], {
  cwd: root,
  stdio: "inherit",
});
writeFileSync(types, astToString(await openapiTS(document)));
console.log("src/api/openapi.json and src/api/schema.d.ts are written");
