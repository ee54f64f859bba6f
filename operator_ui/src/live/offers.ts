/**
 * Which buttons the live page shows in a state of the robot, and which of them it enables. Pure.
 *
 * The robot decides; the page must not leave anybody without a way on. `offers.test.ts` holds this
 * table against what the robot accepts in every state (`robot_answers.json`).
 */
import type { Command, EpisodeStage, Mode } from "@/api/messages";

export interface Situation {
  readonly stage: EpisodeStage;
  readonly mode: Mode;
  readonly lease: "nobody" | "us" | "other";
  /** Whether its holder is asked for it by us. */
  readonly asked: boolean;
  /** Why the robot would start no episode now, whoever asks; empty when it would. */
  readonly startRefusal: string;
}

export type EpisodeButton =
  | "start"
  | "success"
  | "failure"
  | "pause"
  | "resume"
  | "rewind"
  | "reset"
  | "confirm"
  | "home";

/** What a button asks the robot for. */
export const ASKS: Readonly<Record<EpisodeButton | HandButton, Command>> = {
  start: "start_episode",
  success: "label",
  failure: "label",
  pause: "pause",
  resume: "resume",
  rewind: "rewind",
  reset: "begin_reset",
  confirm: "confirm_reset",
  home: "begin_reset",
  give_back: "end_takeover",
  release: "release_lease",
  acquire: "acquire_lease",
  withdraw: "release_lease",
};

const BY_STAGE: Readonly<Record<EpisodeStage, readonly EpisodeButton[]>> = {
  ready: ["start", "reset"],
  running: ["success", "failure"],
  await_label: ["success", "failure"],
  resetting: [],
  // Somebody may have driven the arm away since: then the robot refuses the scene until it is home.
  confirm_reset: ["confirm", "home"],
};

/** From these the robot drives home; it starts an episode from idle only. */
const RESETS_FROM: readonly Mode[] = ["idle", "autonomous", "paused"];
const PAUSES: readonly Mode[] = ["autonomous", "takeover", "resetting", "rewinding"];
/** Where it has moved since it left idle; from idle there is nothing to retrace. */
const REWINDS_FROM: readonly Mode[] = ["autonomous", "takeover", "paused"];

export function latched(mode: Mode): boolean {
  return mode === "stopped" || mode === "fault";
}

export function episodeButtons({ stage, mode }: Situation): readonly EpisodeButton[] {
  const moves = mode === "autonomous" || mode === "resetting" || mode === "rewinding";
  const shown = BY_STAGE[stage];
  if (stage === "running") return [...shown, mode === "paused" ? "resume" : "pause", "rewind"];
  return stage === "resetting" || moves ? [...shown, "pause"] : shown;
}

export function enabled(button: EpisodeButton, now: Situation): boolean {
  const { mode, lease, startRefusal } = now;
  const free = lease !== "other";
  switch (button) {
    case "success":
    case "failure":
      return true; // a label moves nothing by itself
    case "pause":
      return PAUSES.includes(mode);
    case "resume":
      return free && mode === "paused";
    case "rewind":
      return free && REWINDS_FROM.includes(mode);
    case "start":
      return free && mode === "idle" && startRefusal === "";
    case "reset":
    case "home":
    case "confirm":
      return free && RESETS_FROM.includes(mode);
  }
}

export type HandButton = "give_back" | "release" | "acquire" | "withdraw";

/** The one button about who has the robot in hand. */
export function handButton(now: Pick<Situation, "mode" | "lease" | "asked">): HandButton {
  const { mode, lease, asked } = now;
  if (lease !== "us") return asked ? "withdraw" : "acquire";
  return mode === "takeover" ? "give_back" : "release";
}
