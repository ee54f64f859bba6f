import { readFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";
import { expect, it } from "vitest";

it("has types that were generated from openapi.json as it is", async () => {
  const document = new URL("./openapi.json", import.meta.url);
  const types = readFileSync(new URL("./schema.d.ts", import.meta.url), "utf8");
  expect(types, "run `npm run api`").toBe(astToString(await openapiTS(document)));
});
