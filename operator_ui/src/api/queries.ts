/** What the pages ask the server, and how long an answer stays fresh. */
import {
  keepPreviousData,
  queryOptions,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { Decision } from "@/api/decisions";
import type { InterventionUse, Purpose } from "@/api/messages";
import type { components, operations } from "@/api/schema";

type Schemas = components["schemas"];
export type AnnotationRow = Schemas["AnnotationRow"];
export type EpisodeDetail = Schemas["EpisodeDetail"];
export type EpisodeRow = Schemas["EpisodeRow"];
export type InterventionRow = Schemas["InterventionRow"];
export type EpisodeSteps = Schemas["EpisodeSteps"];
export type Figures = Schemas["Figures"];
export type MetricsSummary = Schemas["MetricsSummary"];
export type NewAnnotation = Schemas["NewAnnotation"];
export type NewExclusion = Schemas["NewExclusion"];
export type NewLabel = Schemas["NewLabel"];
export type Step = Schemas["Step"];

export type EpisodeQuery = NonNullable<
  operations["get_episodes_api_episodes_get"]["parameters"]["query"]
>;

type MetricsQuery = NonNullable<operations["get_metrics_api_metrics_get"]["parameters"]["query"]>;

/** Rows of one request of the table. */
export const PAGE_ROWS = 100;
/** The strip beside the live picture looks at the newest episodes only. */
export const RECENT_EPISODES = 20;
const RECENT_MS = 10_000;

export function useSession() {
  return useQuery({
    queryKey: ["session"],
    queryFn: async () => {
      const answer = await api.GET("/api/me");
      return answer.response.status === 401 ? null : body(answer);
    },
    staleTime: 60_000,
  });
}

/** Why the server's database cannot be used now, in a sentence; empty while it can. */
export function useServerProblem(): string {
  const health = useQuery({
    queryKey: ["health"],
    queryFn: async () => body(await api.GET("/api/health")),
    refetchInterval: 3_000,
  });
  return health.data?.problem ?? "";
}

export function useRobots(signedIn: boolean) {
  return useQuery({
    queryKey: ["robots"],
    queryFn: async () => body(await api.GET("/api/robots")).robots,
    enabled: signedIn,
    refetchInterval: 3_000,
    placeholderData: keepPreviousData,
  });
}

export function episodesPage(filter: EpisodeQuery, page: number) {
  return queryOptions({
    queryKey: ["episodes", filter, page],
    queryFn: async () => {
      const query = { ...filter, limit: PAGE_ROWS, offset: page * PAGE_ROWS };
      return body(await api.GET("/api/episodes", { params: { query } }));
    },
    // New episodes come in while somebody looks.
    refetchInterval: page === 0 ? 5_000 : false,
  });
}

export function useEpisode(id: string) {
  return useQuery({
    queryKey: ["episode", id],
    queryFn: async () =>
      body(await api.GET("/api/episodes/{episode_id}", { params: { path: { episode_id: id } } })),
    // A running episode grows; one that has ended changes only by what people say.
    refetchInterval: ({ state }) => (state.data?.episode.ended_t_utc === null ? 2_000 : false),
  });
}

export function useSteps(id: string, running: boolean) {
  return useQuery({
    // Asked once more when the episode has ended: its last steps came after the last look.
    queryKey: ["steps", id, running],
    queryFn: async () =>
      body(
        await api.GET("/api/episodes/{episode_id}/steps", {
          params: { path: { episode_id: id } },
        }),
      ),
    placeholderData: (before, query) => (query?.queryKey[1] === id ? before : undefined),
    refetchInterval: running ? 2_000 : false,
    staleTime: running ? 0 : Number.POSITIVE_INFINITY,
  });
}

export function useMetrics(filter: MetricsQuery, refetchMs: number | false = false) {
  return useQuery({
    queryKey: ["metrics", filter],
    queryFn: async () => body(await api.GET("/api/metrics", { params: { query: filter } })),
    refetchInterval: refetchMs,
    placeholderData: keepPreviousData,
  });
}

/** Figures of the newest episodes of a task, of one purpose, for the live page. */
export function useRecentFigures(task: string | null, purpose: Purpose) {
  return useQuery({
    queryKey: ["metrics", "live", task, purpose],
    queryFn: async () => {
      const query = { ...(task && { task }), purpose, newest: RECENT_EPISODES };
      return body(await api.GET("/api/metrics", { params: { query } }));
    },
    enabled: task !== null,
    refetchInterval: RECENT_MS,
  });
}

export function usePolicies(task: string | undefined) {
  return useQuery({
    queryKey: ["policies", task ?? null],
    queryFn: async () =>
      body(await api.GET("/api/policies", { params: { query: task ? { task } : {} } })),
    refetchInterval: 5_000,
  });
}

/** What a person says about an episode; everything that shows it is asked for again. */
function useSaying<T>(id: string, say: (said: T) => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: say,
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["episode", id] }),
        client.invalidateQueries({ queryKey: ["steps", id] }),
        client.invalidateQueries({ queryKey: ["episodes"] }),
        client.invalidateQueries({ queryKey: ["metrics"] }),
      ]),
  });
}

export function useRelabel(id: string) {
  return useSaying(id, async (said: NewLabel) =>
    body(
      await api.POST("/api/episodes/{episode_id}/labels", {
        params: { path: { episode_id: id } },
        body: said,
      }),
    ),
  );
}

export function useExclude(id: string) {
  return useSaying(id, async (said: NewExclusion) =>
    body(
      await api.POST("/api/episodes/{episode_id}/exclusions", {
        params: { path: { episode_id: id } },
        body: said,
      }),
    ),
  );
}

export function useAnnotate(id: string) {
  return useSaying(id, async (said: NewAnnotation) =>
    body(
      await api.POST("/api/episodes/{episode_id}/annotations", {
        params: { path: { episode_id: id } },
        body: said,
      }),
    ),
  );
}

export async function postDecision(decision: Decision): Promise<void> {
  body(
    await api.POST("/api/episodes/{episode_id}/interventions/{intervention_id}/decisions", {
      params: {
        path: { episode_id: decision.episodeId, intervention_id: decision.interventionId },
      },
      keepalive: true, // it may be the last thing that a closing page says
      body: {
        decision_id: decision.decisionId,
        use: decision.use,
        by_default: decision.byDefault,
      },
    }),
  );
}

/** In review: sent once, the answer is shown. */
export function useDecide(id: string) {
  return useSaying(id, async (said: { interventionId: string; use: InterventionUse }) =>
    postDecision({
      ...said,
      decisionId: crypto.randomUUID(),
      episodeId: id,
      byDefault: false,
    }),
  );
}

export function frameUrl(episode: string, camera: string, index: number): string {
  return `/api/episodes/${episode}/frames/${encodeURIComponent(camera)}/${index}.jpg`;
}
