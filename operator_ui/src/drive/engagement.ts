/** From "the dead-man is held" to "this person drives": what to ask the robot for next. Pure. */
import type { Mode } from "@/api/messages";

export type Ask = "acquire_lease" | "takeover" | null;

/** Between the robot's answer and the telemetry that shows it. */
const SETTLE_MS = 300;

export interface Situation {
  readonly deadman: boolean;
  readonly mode: Mode;
  readonly leaseIsOurs: boolean;
  /** An earlier request is unanswered. */
  readonly waiting: boolean;
  /** What was asked for last, and how long ago its answer was still due. */
  readonly lastAsk: Ask;
  readonly sinceWaitingMs: number;
  /** The robot refused since the dead-man was pressed: ask again only after letting go. */
  readonly refused: boolean;
}

// A robot that is latched, or moving home by itself, is not taken over by holding a key. Who sent it
// back while driving has to let go of the dead-man first: the robot asks for that.
const TAKEN_OVER_FROM: readonly Mode[] = ["autonomous", "paused", "idle", "rewinding"];

export function nextAsk(now: Situation): Ask {
  if (!now.deadman || now.waiting || now.refused) return null;
  if (!TAKEN_OVER_FROM.includes(now.mode)) return null;
  const ask = now.leaseIsOurs ? "takeover" : "acquire_lease";
  return ask === now.lastAsk && now.sinceWaitingMs < SETTLE_MS ? null : ask;
}

export interface LocalSituation {
  /** The input device at the robot PC, as the robot calls it. */
  readonly device: string | null;
  readonly mode: Mode;
  readonly leaseIsOurs: boolean;
  readonly waiting: boolean;
}

/**
 * Taking over with the device at the robot PC. Control reads its dead-man there, so the console only
 * asks; the lease must be held before, because the round trip is measured under it.
 */
export function localTakeover(now: LocalSituation): "absent" | "needs_lease" | "waiting" | "ready" {
  if (now.device === null || !TAKEN_OVER_FROM.includes(now.mode)) return "absent";
  if (!now.leaseIsOurs) return "needs_lease";
  return now.waiting ? "waiting" : "ready";
}

/** One press of the gripper key: the opposite of the last wish, or of what the gripper shows. */
export function nextGripper(last: -1 | 0 | 1, opening_m: number): -1 | 1 {
  if (last !== 0) return last === 1 ? -1 : 1;
  return opening_m > HALF_OPEN_M ? -1 : 1;
}

const HALF_OPEN_M = 0.03;
