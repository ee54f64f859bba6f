import { expect, it } from "vitest";
import { RobotClock } from "@/live/clock";

const MS = 1e6;

it("takes the fastest message for the offset", () => {
  const clock = new RobotClock();
  clock.observe(1000 * MS, 51_020); // 20 ms late
  clock.observe(1050 * MS, 51_055); // 5 ms
  clock.observe(1100 * MS, 51_140); // 40 ms
  expect(clock.ageMs(1100 * MS, 51_140)).toBeCloseTo(35);
  expect(clock.newestNs).toBe(1100 * MS);
});

it("forgets a robot that started again", () => {
  const clock = new RobotClock();
  clock.observe(500_000 * MS, 1000);
  clock.observe(10 * MS, 2000);
  expect(clock.newestNs).toBe(10 * MS);
  expect(clock.ageMs(10 * MS, 2030)).toBeCloseTo(30);
});

it("follows a clock that drifts away once the fastest message is too old", () => {
  const clock = new RobotClock();
  for (let second = 0; second < 40; second += 1) {
    clock.observe(second * 1000 * MS, second * 1000 + second); // 1 ms slower each second
  }
  expect(clock.ageMs(39_000 * MS, 39_039)).toBeLessThan(11);
});
