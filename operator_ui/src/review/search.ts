/** The search part of the review pages' addresses: read with care, since anybody can type it. */
import type { Outcome, Purpose } from "@/api/messages";
import type { EpisodeQuery } from "@/api/queries";

export const OUTCOMES: readonly Outcome[] = ["success", "failure", "aborted"];
export const PURPOSES: readonly Purpose[] = ["training", "evaluation", "demonstration"];
export const SORTS = [
  "started",
  "steps",
  "human_steps",
  "interventions",
  "policy_version",
] as const;
export type Sort = NonNullable<EpisodeQuery["sort"]>;

export interface EpisodesSearch {
  readonly task?: string;
  readonly robot?: string;
  readonly outcome?: Outcome | "none";
  readonly failure_class?: string;
  readonly purpose?: Purpose;
  readonly policy_version?: number;
  readonly operator?: string;
  readonly helped?: boolean;
  readonly excluded?: boolean;
  readonly text?: string;
  readonly sort?: Sort;
  readonly ascending?: boolean;
}

export interface EpisodeSearch {
  /** The step that is shown: a permalink to a frame. */
  readonly step?: number;
}

function text(value: unknown): string | undefined {
  return (typeof value === "string" || typeof value === "number") && value !== ""
    ? String(value)
    : undefined;
}

function whole(value: unknown): number | undefined {
  const number = Number(value);
  return value !== undefined && Number.isInteger(number) && number >= 0 ? number : undefined;
}

function flag(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T | undefined {
  return allowed.find((one) => one === value);
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without the keys that say nothing, so that addresses stay short. */
export function dropAbsent<T extends object>(value: T): Partial<Present<T>> {
  return Object.fromEntries(
    Object.entries(value).filter(([, one]) => one !== undefined),
  ) as Partial<Present<T>>;
}

export function readEpisodesSearch(search: Record<string, unknown>): EpisodesSearch {
  return dropAbsent({
    task: text(search.task),
    robot: text(search.robot),
    outcome: oneOf(search.outcome, [...OUTCOMES, "none"] as const),
    failure_class: text(search.failure_class),
    purpose: oneOf(search.purpose, PURPOSES),
    policy_version: whole(search.policy_version),
    operator: text(search.operator),
    helped: flag(search.helped),
    excluded: flag(search.excluded),
    text: text(search.text),
    sort: oneOf(search.sort, SORTS),
    ascending: flag(search.ascending),
  });
}

export function readEpisodeSearch(search: Record<string, unknown>): EpisodeSearch {
  return dropAbsent({ step: whole(search.step) });
}

export function queryOf(search: EpisodesSearch): EpisodeQuery {
  const { outcome, helped, ascending, sort, ...rest } = search;
  return {
    ...rest,
    ...(outcome === "none" ? { unlabelled: true } : outcome ? { outcome } : {}),
    ...(helped === undefined ? {} : { interventions: helped }),
    sort: sort ?? "started",
    descending: !ascending,
  };
}
