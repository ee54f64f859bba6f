/** The search part of the review pages' addresses. */
export interface EpisodesSearch {
  readonly outcome?: string;
}
export interface EpisodeSearch {
  readonly step?: number;
}
export function readEpisodesSearch(_: Record<string, unknown>): EpisodesSearch {
  return {};
}
export function readEpisodeSearch(_: Record<string, unknown>): EpisodeSearch {
  return {};
}
