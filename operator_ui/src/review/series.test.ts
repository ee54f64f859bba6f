import { describe, expect, it } from "vitest";
import type { EpisodeSteps } from "@/api/queries";
import { seriesOf } from "@/review/series";

type Step = EpisodeSteps["steps"][number];

const WRENCHES = { left: [3, 4, 0, 9, 9, 9], right: [0, 0, 2, 9, 9, 9] } as const;

function step(index: number, part: Partial<Step>): Step {
  const arms = Object.fromEntries(
    Object.entries(WRENCHES).map(([arm, wrench]) => [arm, { wrench: [...wrench] }]),
  );
  return { index, arms, ...part } as unknown as Step;
}

const NAMES = ["left_dx", "left_gripper", "right_dx", "right_gripper"];
const STEPS: EpisodeSteps = {
  episode_id: "e",
  action_names: NAMES,
  steps: [
    step(0, { proposed_action: [0, 0, 0.5, 0], executed_action: [0, 0, 0.4, 0] }),
    step(1, {
      proposed_action: [0, 0, 0, 0],
      human_action: [0, -1, 0, 0],
      executed_action: [0, -1, 0, 0],
    }),
    step(2, { proposed_action: null, executed_action: null }),
  ],
  rewards: [0, 1, null],
};

describe("the curves of an episode", () => {
  const series = seriesOf(STEPS, 0.1);

  it("are the used columns of the action, under their names", () => {
    expect(series.actions.map(({ name }) => name)).toEqual(["left_gripper", "right_dx"]);
    expect(series.actions[1]).toEqual({
      name: "right_dx",
      proposed: [0.5, 0, null],
      executed: [0.4, 0, null],
      human: [null, 0, null],
    });
  });

  it("have the classifier's probability where there was one", () => {
    expect(series.success).toBeNull();
    const said = step(0, { evidence: { classifier_probability: 0.9, simulator_success: null } });
    const judged = seriesOf({ ...STEPS, steps: [said, step(1, {})] }, 0.1);
    expect(judged.success).toEqual([0.9, null]);
  });

  it("have a force for each arm", () => {
    expect(series.forces).toEqual([
      { arm: "left", force_n: [5, 5, 5] },
      { arm: "right", force_n: [2, 2, 2] },
    ]);
  });
});
