/** The curves of one episode, from its steps; null where there is no value. */
import type { EpisodeSteps } from "@/api/queries";

export type Values = readonly (number | null)[];

/** One column of the action, under the name that the task gives it. */
export interface ActionColumn {
  readonly name: string;
  readonly proposed: Values;
  readonly executed: Values;
  readonly human: Values;
}

export interface ArmForce {
  readonly arm: string;
  readonly force_n: Values;
}

export interface Series {
  readonly time_s: readonly number[];
  /** Only columns that were used: one that is 0 throughout says nothing. */
  readonly actions: readonly ActionColumn[];
  readonly reward: Values;
  readonly forces: readonly ArmForce[];
  readonly risk: Values | null;
  /** Of success, by the classifier; null: there was none. */
  readonly success: Values | null;
}

type Step = EpisodeSteps["steps"][number];

export function seriesOf({ steps, rewards, action_names }: EpisodeSteps, step_s: number): Series {
  const risk = steps.map((step) => step.risk ?? null);
  const success = steps.map((step) => step.evidence?.classifier_probability ?? null);
  const columns = action_names.map((name, column) => columnOf(steps, name, column));
  return {
    time_s: steps.map((step) => step.index * step_s),
    actions: columns.filter(isUsed),
    reward: steps.map((_, index) => rewards[index] ?? null),
    forces: Object.keys(steps[0]?.arms ?? {}).map((arm) => forceOf(steps, arm)),
    risk: risk.some((value) => value !== null) ? risk : null,
    success: success.some((value) => value !== null) ? success : null,
  };
}

function columnOf(steps: readonly Step[], name: string, column: number): ActionColumn {
  const values = (read: (step: Step) => readonly number[] | null | undefined) =>
    steps.map((step) => read(step)?.[column] ?? null);
  return {
    name,
    proposed: values((step) => step.proposed_action),
    executed: values((step) => step.executed_action),
    human: values((step) => step.human_action),
  };
}

function isUsed({ proposed, executed, human }: ActionColumn): boolean {
  return [proposed, executed, human].some((values) => values.some((value) => (value ?? 0) !== 0));
}

function forceOf(steps: readonly Step[], arm: string): ArmForce {
  const force = (step: Step) => {
    const wrench = step.arms[arm]?.wrench;
    return wrench ? Math.hypot(...wrench.slice(0, 3)) : null;
  };
  return { arm, force_n: steps.map(force) };
}
