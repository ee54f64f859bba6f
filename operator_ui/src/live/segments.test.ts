import { describe, expect, it } from "vitest";
import {
  decided,
  extend,
  interventionsOf,
  type Moment,
  type Segment,
  segmentsOf,
} from "@/live/segments";

const policy = (index: number): Moment => ({
  index,
  source: "policy",
  phase: null,
  interventionId: null,
});
const human = (index: number, phase: "recovery" | "correction", interventionId = "a"): Moment => ({
  index,
  source: "human",
  phase,
  interventionId,
});

const EPISODE = [
  policy(0),
  policy(1),
  human(2, "recovery"),
  human(3, "correction"),
  human(4, "correction"),
  policy(5),
];

const PAINTED: readonly Segment[] = [
  { driver: "policy", interventionId: null, start: 0, end: 2 },
  { driver: "recovery", interventionId: "a", start: 2, end: 3 },
  { driver: "correction", interventionId: "a", start: 3, end: 5 },
  { driver: "policy", interventionId: null, start: 5, end: 6 },
];

describe("who drove", () => {
  it("is painted the same live and in review", () => {
    const live = EPISODE.reduce<readonly Segment[]>(extend, []);
    expect(segmentsOf(EPISODE)).toEqual(PAINTED);
    expect(live).toEqual(PAINTED);
  });

  it("returns the very same runs when nothing is new", () => {
    const before = extend(extend([], policy(0)), policy(1));
    expect(extend(before, policy(1))).toBe(before);
    expect(extend(before, policy(0))).toBe(before);
  });

  it("bridges steps that were not seen", () => {
    expect(extend(extend([], policy(0)), policy(7))).toEqual([
      { driver: "policy", interventionId: null, start: 0, end: 8 },
    ]);
  });

  it("keeps every run at least one step long when a takeover falls within a step", () => {
    const runs = extend(extend([], policy(0)), human(0, "recovery"));
    expect(runs.map(({ start, end }) => end - start)).toEqual([1, 1]);
  });
});

it("counts recovery and correction of one takeover as one intervention", () => {
  expect(interventionsOf(PAINTED)).toEqual([{ id: "a", start: 2, end: 5 }]);
  const two = segmentsOf([human(0, "recovery", "a"), policy(1), human(2, "recovery", "b")]);
  expect(interventionsOf(two).map(({ id }) => id)).toEqual(["a", "b"]);
});

describe("what people decided about takeovers", () => {
  const drivers = (use: "correction" | "recovery" | "discard", moments: readonly Moment[]) =>
    decided(segmentsOf(moments), new Map([["a", use]])).map((one) => one.driver);
  const unmarked = [policy(0), human(1, "recovery"), human(2, "recovery", "b")];

  it("is painted in place of the phases", () => {
    expect(drivers("discard", EPISODE)).toEqual(["policy", "discarded", "discarded", "policy"]);
    expect(drivers("recovery", EPISODE)).toEqual(["policy", "recovery", "recovery", "policy"]);
  });

  it("makes all of a takeover a correction, unless key C says from where", () => {
    expect(drivers("correction", unmarked)).toEqual(["policy", "correction", "recovery"]);
    expect(drivers("correction", EPISODE)).toEqual(["policy", "recovery", "correction", "policy"]);
  });
});
