/** Limit profiles of the robot's cell ("fragile", "hot", "person near"), as buttons of the page. */
import type { LimitProfileStatus } from "@/api/messages";
import type { Situation } from "@/live/offers";

/** Why a button cannot be pressed now; what is active then stays active. */
export type Stays = "task" | "instruction" | "lease" | null;

/** Anybody may tighten; only the holder of the lease, or who can take it, may loosen again. */
export function stays(profile: LimitProfileStatus, lease: Situation["lease"]): Stays {
  if (!profile.active) return null;
  return profile.chosen_by ?? (lease === "other" ? "lease" : null);
}

/** The tightest speed and force that profiles which are active state. */
export function tightest(profiles: readonly LimitProfileStatus[]): {
  speed: number | null;
  force: number | null;
} {
  const active = profiles.filter((profile) => profile.active);
  const least = (values: readonly (number | null)[]): number | null => {
    const stated = values.filter((value) => value !== null);
    return stated.length === 0 ? null : Math.min(...stated);
  };
  return {
    speed: least(active.map((profile) => profile.speed_m_s)),
    force: least(active.map((profile) => profile.force_n)),
  };
}
