import { describe, expect, it } from "vitest";
import { isDue, maySend } from "@/drive/pacing";

/** Runs a loop with a timer and a robot time of 20 ms each, `phase` ms apart; the times it ticks at. */
function ticks(phase: number, robotTimes: boolean): number[] {
  const found: number[] = [];
  let last = -1000;
  for (let ms = 1; ms <= 1000; ms += 1) {
    const echo = robotTimes && ms % 20 === phase && isDue("robot_time", ms - last);
    const timer = ms % 20 === 0 && isDue("timer", ms - last);
    if (echo || timer) found.push(ms);
    if (echo) last = ms;
  }
  return found;
}

describe("when the input loop runs", () => {
  it("is by the timer while no robot time comes", () => {
    expect(ticks(0, false)).toEqual(Array.from({ length: 50 }, (_, n) => 20 * (n + 1)));
  });

  it.each([1, 5, 10, 15])("answers every robot time at once, %i ms after the timer", (phase) => {
    const found = ticks(phase, true).slice(2);
    expect(found.every((ms) => ms % 20 === phase)).toBe(true);
    expect(found.length).toBeGreaterThanOrEqual(48);
  });

  it("answers a bunch of robot times once", () => {
    expect(isDue("robot_time", 1)).toBe(false);
  });
});

describe("what may be sent", () => {
  const ours = { leaseIsOurs: true, free: false, deadman: true, sinceSentMs: 20 };
  const free = { leaseIsOurs: false, free: true, deadman: false, sinceSentMs: 200 };

  it("is everything under the lease", () => {
    expect(maySend(ours)).toBe(true);
    expect(maySend({ ...ours, deadman: false })).toBe(true);
  });

  it("is only a released dead-man, and not often, while nobody holds it", () => {
    expect(maySend(free)).toBe(true);
    expect(maySend({ ...free, sinceSentMs: 199 })).toBe(false);
    expect(maySend({ ...free, deadman: true })).toBe(false);
    expect(maySend({ ...free, free: false })).toBe(false);
  });
});
