/** Which arm of a robot a person drives; kept per robot for as long as the console is open. */
import { createStore } from "zustand/vanilla";

/** Robot → the arm that was chosen last. */
export const armChoices = createStore<Readonly<Record<string, string>>>(() => ({}));

/** The chosen arm, or the first when the robot has no such arm; null: it has not named its arms. */
export function drivenArm(arms: readonly string[], chosen: string | undefined): string | null {
  return arms.find((arm) => arm === chosen) ?? arms[0] ?? null;
}

/** The one after the driven arm; after the last comes the first. */
export function nextArm(arms: readonly string[], driven: string | null): string | null {
  const at = driven === null ? -1 : arms.indexOf(driven);
  return arms[(at + 1) % arms.length] ?? null;
}
