import { describe, expect, it } from "vitest";
import {
  type Continuation,
  DWELL_MS,
  follow,
  OFF,
  type Situation,
  situationOf,
  switched,
} from "@/live/continuation";
import { UNKNOWN } from "@/live/state";

const READY: Situation = {
  simulated: true,
  connected: true,
  hidden: false,
  mode: "idle",
  stage: "ready",
  holder: "nobody",
  leaseSuspended: false,
  stopping: false,
  notice: 3,
  noticeAbout: "start_episode",
  waiting: false,
};
const ON = switched(true, READY, 0);

/** Shows these situations one after the other, a dwell apart; what was asked for and what is left. */
function shown(...seen: readonly Partial<Situation>[]): { asked: string[]; last: Continuation } {
  const asked: string[] = [];
  let last = ON;
  for (const [index, change] of seen.entries()) {
    const { next, ask } = follow(last, { ...READY, ...change }, (index + 1) * DWELL_MS);
    last = next;
    if (ask !== null) asked.push(ask);
  }
  return { asked, last };
}

describe("keep going", () => {
  it("starts, waits for the end, confirms the reset, starts again", () => {
    const running = { stage: "running", mode: "autonomous" } as const;
    const home = { stage: "resetting", mode: "resetting" } as const;
    const confirm = { stage: "confirm_reset" } as const;
    const { asked, last } = shown(
      {},
      running,
      running,
      home,
      confirm,
      confirm,
      home,
      {},
      {},
      running,
    );
    expect(asked).toEqual(["start_episode", "confirm_reset", "start_episode"]);
    expect(last.on).toBe(true);
  });

  it("is off by itself, and only a person switches it on", () => {
    expect(follow(OFF, READY, 10_000)).toEqual({ next: OFF, ask: null });
    expect(switched(false, READY, 0)).toEqual(OFF);
  });

  it("exists in simulation only", () => {
    expect(switched(true, { ...READY, simulated: false }, 0)).toEqual(OFF);
    const { asked, last } = shown({ simulated: false });
    expect(asked).toEqual([]);
    expect(last.on).toBe(false);
  });

  it("shows each stage for a moment before it goes on", () => {
    expect(follow(ON, READY, DWELL_MS - 1).ask).toBeNull();
    expect(follow(ON, READY, DWELL_MS).ask).toBe("start_episode");
  });

  it("asks once, and again only when nothing has come of it", () => {
    const asked = follow(ON, READY, 600).next;
    expect(follow(asked, { ...READY, waiting: true }, 5000).ask).toBeNull();
    expect(follow(asked, READY, 700).ask).toBeNull();
    expect(follow(asked, READY, 1600).ask).toBe("start_episode");
  });

  it("leaves labels, pauses and takeovers to the person", () => {
    const { asked, last } = shown(
      { stage: "await_label", mode: "idle" },
      { stage: "running", mode: "paused" },
      { stage: "running", mode: "takeover", holder: "us" },
      { stage: "ready", mode: "takeover", holder: "us" },
    );
    expect(asked).toEqual([]);
    expect(last.on).toBe(true);
  });

  it.each([
    ["stop", { mode: "stopped" }],
    ["stop", { stopping: true }],
    ["fault", { mode: "fault" }],
    ["connection", { connected: false }],
    ["hidden", { hidden: true }],
    ["takeover_lost", { leaseSuspended: true, holder: "us" }],
    ["held", { holder: "other" }],
    ["refused", { notice: 4, noticeAbout: "confirm_reset" }],
  ] as const)("switches off: %s", (off, change) => {
    const { asked, last } = shown(change, {}, {});
    expect(last).toEqual({ ...OFF, off });
    expect(asked).toEqual([]);
  });

  it("tells a lost driver from one who gives back", () => {
    const driving = { stage: "running", mode: "takeover", holder: "us" } as const;
    expect(shown(driving, { stage: "running", mode: "autonomous" }).last.on).toBe(true);
    const lost = shown(driving, { stage: "running", mode: "paused" }).last;
    expect(lost).toEqual({ ...OFF, off: "takeover_lost" });
  });

  it("takes a problem of the server for its own only after it has asked", () => {
    const problem = { notice: 4, noticeAbout: "problem" } as const;
    expect(shown(problem).last.on).toBe(true);
    expect(shown({}, problem).last.off).toBe("refused");
    expect(shown({ notice: 4, noticeAbout: "takeover" }).last.on).toBe(true);
  });

  it("does not start where it may not run, and says why", () => {
    expect(switched(true, { ...READY, mode: "fault" }, 0)).toEqual({ ...OFF, off: "fault" });
  });

  it("knows nothing before the robot has spoken", () => {
    expect(situationOf(UNKNOWN, false)).toBeNull();
  });
});
