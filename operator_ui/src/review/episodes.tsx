export function EpisodesPage() {
  return null;
}
