import { expect, it } from "vitest";
import { queryOf, readEpisodeSearch, readEpisodesSearch } from "@/review/search";

it("takes only what it knows from an address that anybody can type", () => {
  expect(
    readEpisodesSearch({ outcome: "won", policy_version: "x", task: "lift_cube", extra: 1 }),
  ).toEqual({ task: "lift_cube" });
  expect(readEpisodeSearch({ step: -3 })).toEqual({});
  expect(readEpisodeSearch({ step: "12" })).toEqual({ step: 12 });
});

it("asks the server for what the address says", () => {
  expect(queryOf({ outcome: "none", helped: true, ascending: true })).toEqual({
    unlabelled: true,
    interventions: true,
    sort: "started",
    descending: false,
  });
});
