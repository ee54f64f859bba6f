/**
 * One press of the dead-man starts at most one takeover. Pure.
 *
 * A person whose takeover ended, or whose connection broke, may still be holding the key without
 * knowing it. The robot moves again only after they have let go and pressed anew.
 */

/** Why the press that is held now may not drive any more. */
export type Spent = "connection" | "ended" | null;

export interface Press {
  readonly held: boolean;
  /** The connection over which it was pressed. */
  readonly connection: string | null;
  /** It has started a takeover. */
  readonly drove: boolean;
  readonly spent: Spent;
}

export interface Seen {
  readonly deadman: boolean;
  /** Names the connection to the robot; null while there is none. */
  readonly connection: string | null;
  /** The telemetry shows a takeover of ours. */
  readonly driving: boolean;
}

export const RELEASED: Press = { held: false, connection: null, drove: false, spent: null };

export function follow(before: Press, now: Seen): Press {
  if (!now.deadman) return RELEASED;
  const connection = before.held ? before.connection : now.connection;
  const broken = connection === null || connection !== now.connection;
  const over = before.drove && !now.driving;
  return {
    held: true,
    connection,
    drove: before.drove || now.driving,
    spent: before.spent ?? (broken ? "connection" : over ? "ended" : null),
  };
}
