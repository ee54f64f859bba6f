import { describe, expect, it } from "vitest";
import { type Sample, TREND_S, trendPoints, withSample } from "@/live/trend";

const at = (seconds: number, value = 0.5): Sample => ({ t_ns: seconds * 1e9, value });

describe("the trend of a value", () => {
  it("keeps the last seconds and each sample once", () => {
    let samples: readonly Sample[] = [];
    for (const one of [at(0), at(1), at(1), at(TREND_S), at(TREND_S + 1)]) {
      samples = withSample(samples, one);
    }
    expect(samples.map(({ t_ns }) => t_ns / 1e9)).toEqual([1, TREND_S, TREND_S + 1]);
  });

  it("begins anew with another clock", () => {
    expect(withSample([at(100)], at(2))).toEqual([at(2)]);
  });

  it("is drawn with now at the right and 1 at the top", () => {
    expect(trendPoints([at(0, 0), at(TREND_S / 2, 0.25), at(TREND_S, 1.5)])).toBe(
      "0.0000,1.000 0.5000,0.750 1.0000,0.000",
    );
    expect(trendPoints([])).toBe("");
  });
});
