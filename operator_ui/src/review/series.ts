/** The curves of one episode, from its steps; null where there is no value. */
import type { EpisodeSteps } from "@/api/queries";

export type Values = readonly (number | null)[];

export interface Series {
  readonly time_s: readonly number[];
  readonly proposed: readonly Values[];
  readonly executed: readonly Values[];
  readonly human: readonly Values[];
  readonly reward: Values;
  readonly force_n: Values;
  readonly risk: Values | null;
}

/** Entries of the action that are shown: x, y, z, gripper. */
export const SHOWN_ACTIONS = [0, 1, 2, 6] as const;

export function seriesOf({ steps, rewards }: EpisodeSteps, step_s: number): Series {
  const action = (
    read: (step: EpisodeSteps["steps"][number]) => readonly number[] | null | undefined,
  ) => SHOWN_ACTIONS.map((entry) => steps.map((step) => read(step)?.[entry] ?? null));
  const risk = steps.map((step) => step.risk ?? null);
  return {
    time_s: steps.map((step) => step.index * step_s),
    proposed: action((step) => step.proposed_action),
    executed: action((step) => step.executed_action),
    human: action((step) => step.human_action),
    reward: steps.map((_, index) => rewards[index] ?? null),
    force_n: steps.map(({ arm }) => Math.hypot(...arm.wrench.slice(0, 3))),
    risk: risk.some((value) => value !== null) ? risk : null,
  };
}
