import { describe, expect, it } from "vitest";
import type { Command, EpisodeStage, Mode } from "@/api/messages";
import { ASKS, enabled, episodeButtons, handButton, latched, type Situation } from "@/live/offers";
// Written from the robot's own machines; tests/daemon/test_answers.py keeps it so.
import table from "@/live/robot_answers.json";

/** State → request that the robot accepts and that changes something → state that follows. */
const ANSWERS: Readonly<Record<string, Readonly<Record<string, string>>>> = table;
const STATES = Object.keys(ANSWERS);

function situationOf(state: string): Situation {
  const [stage, mode, lease, place] = state.split("/");
  return {
    stage: stage as EpisodeStage,
    mode: mode as Mode,
    lease: lease as Situation["lease"],
    asked: false,
    startRefusal: place === "home" ? "" : "The arm is 100 mm from its start pose.",
  };
}

/** Every request behind a button that can be pressed, with what comes by itself. */
function offered(state: string): readonly (Command | "wait")[] {
  const now = situationOf(state);
  const buttons = episodeButtons(now).filter((button) => enabled(button, now));
  return [
    ...buttons.map((button) => ASKS[button]),
    ASKS[handButton(now)],
    ...(latched(now.mode) ? (["clear"] as const) : []),
    // Whoever does not hold a robot that somebody else drives can still stop it.
    ...(now.lease === "other" ? (["stop"] as const) : []),
    "wait",
  ];
}

function following(state: string): readonly string[] {
  return offered(state).flatMap((request) => ANSWERS[state]?.[request] ?? []);
}

/** The states that buttons lead to, the first one included. */
function reachable(from: string): ReadonlySet<string> {
  const seen = new Set([from]);
  for (const state of seen) for (const next of following(state)) seen.add(next);
  return seen;
}

describe("the buttons of the live page", () => {
  it("let who waits for the lease withdraw the request", () => {
    const waits = { mode: "autonomous", lease: "other", asked: true } as const;
    expect(ASKS[handButton(waits)]).toBe("release_lease");
    expect(handButton({ ...waits, asked: false })).toBe("acquire");
  });

  it("are held against every state of the robot", () => {
    expect(STATES.length).toBe(230);
  });

  it.each(STATES)("lead on from %s, to the next episode in the end", (state) => {
    expect(following(state)).not.toEqual([]);
    const goals = [...reachable(state)].filter((one) => one.startsWith("running/autonomous/us/"));
    expect(goals).not.toEqual([]);
  });

  it.each(STATES)("are enabled in %s only where the robot may accept them", (state) => {
    const now = situationOf(state);
    const [, , , place] = state.split("/");
    const other = state.replace(/[^/]+$/, place === "home" ? "away" : "home");
    const accepted = { ...ANSWERS[state], ...ANSWERS[other] };
    for (const button of episodeButtons(now).filter((one) => enabled(one, now))) {
      expect(Object.keys(accepted)).toContain(ASKS[button]);
    }
  });
});
