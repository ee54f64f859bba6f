import { describe, expect, it } from "vitest";
import type { LimitProfileStatus } from "@/api/messages";
import { stays, tightest } from "@/live/profiles";

const FRAGILE: LimitProfileStatus = {
  name: "fragile",
  text: "Fragile object",
  active: true,
  chosen_by: null,
  speed_m_s: 0.15,
  force_n: 10,
};
const HOT: LimitProfileStatus = { ...FRAGILE, name: "hot", speed_m_s: 0.25, force_n: null };

describe("stays", () => {
  it("lets anybody tighten", () => {
    expect(stays({ ...FRAGILE, active: false }, "other")).toBeNull();
  });

  it("lets the holder, or who can become it, loosen again", () => {
    expect(stays(FRAGILE, "us")).toBeNull();
    expect(stays(FRAGILE, "nobody")).toBeNull();
    expect(stays(FRAGILE, "other")).toBe("lease");
  });

  it("keeps what the task or its instruction chose, whoever asks", () => {
    expect(stays({ ...FRAGILE, chosen_by: "task" }, "us")).toBe("task");
    expect(stays({ ...FRAGILE, chosen_by: "instruction" }, "other")).toBe("instruction");
  });
});

describe("tightest", () => {
  it("takes the strictest of each of those that are active", () => {
    expect(tightest([FRAGILE, HOT])).toEqual({ speed: 0.15, force: 10 });
    expect(tightest([{ ...FRAGILE, active: false }, HOT])).toEqual({ speed: 0.25, force: null });
    expect(tightest([])).toEqual({ speed: null, force: null });
  });
});
