/** When the input loop of the live page runs, and what it may send. Pure. */

export const PERIOD_MS = 20;
/** Robot times that a slow network delivers in a bunch are answered once. */
const BUNCH_MS = 5;
/** After this long without a robot time the timer stands in for it. */
const MISSING_MS = 2 * PERIOD_MS;
/** Without the lease: how often the robot is told that the dead-man is let go. */
const RELEASED_MS = 200;

/**
 * The robot's time arrives 50 times a second while this person holds the lease, and is answered at
 * once: what the answer would wait for the timer would make the command older at the robot, which
 * drives slower by its age and drops it beyond 300 ms.
 */
export function isDue(by: "robot_time" | "timer", sinceRobotTimeMs: number): boolean {
  return sinceRobotTimeMs >= (by === "timer" ? MISSING_MS : BUNCH_MS);
}

export interface Sending {
  readonly leaseIsOurs: boolean;
  /** Nobody holds the lease, and the robot is there. */
  readonly free: boolean;
  readonly deadman: boolean;
  readonly sinceSentMs: number;
}

/**
 * Whoever holds the lease is heard all the time. Anybody else says now and then that the dead-man is
 * let go: the robot lets nobody begin to drive whose dead-man it has not seen released.
 */
export function maySend(now: Sending): boolean {
  if (now.leaseIsOurs) return true;
  return now.free && !now.deadman && now.sinceSentMs >= RELEASED_MS;
}
