/** What the pages ask the server, and how long an answer stays fresh. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";

export interface Session {
  readonly name: string;
  readonly role: string;
}
export interface RobotRow {
  readonly robot: string;
  readonly task: string;
  readonly connected: boolean;
}

async function get<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(response.statusText);
  return (await response.json()) as T;
}

export function useSession() {
  return useQuery({
    queryKey: ["session"],
    queryFn: async () => {
      const response = await fetch("/api/me");
      return response.status === 401 ? null : ((await response.json()) as Session);
    },
    staleTime: 60_000,
  });
}

export function useRobots(signedIn: boolean) {
  return useQuery({
    queryKey: ["robots"],
    queryFn: async () => (await get<{ robots: readonly RobotRow[] }>("/api/robots")).robots,
    enabled: signedIn,
    refetchInterval: 3_000,
    placeholderData: keepPreviousData,
  });
}

export interface RecentFigures {
  readonly successes: number;
  readonly episodes: number;
  readonly humanSteps: number;
  readonly steps: number;
}

export function useRecentFigures(task: string | null) {
  return useQuery<RecentFigures>({
    queryKey: ["recent", task],
    queryFn: () => get<RecentFigures>(`/api/recent?task=${task ?? ""}`),
    enabled: false,
  });
}
