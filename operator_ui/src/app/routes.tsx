/** Every page and its address. Filters, times and cameras are in the address, so that it can be shared. */
import { Button, Text, Title } from "@mantine/core";
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { FleetPage } from "@/app/fleet";
import { Shell } from "@/app/shell";
import { LivePage } from "@/cockpit/page";
import { readEpisodeSearch, readEpisodesSearch } from "@/review/search";

function Failed({ error, reset }: { error: unknown; reset: () => void }) {
  const { t } = useTranslation();
  return (
    <>
      <Title order={1} size="h3">
        {t("app.error")}
      </Title>
      <Text my="sm">{error instanceof Error ? error.message : String(error)}</Text>
      <Button onClick={reset}>{t("app.retry")}</Button>
    </>
  );
}

function NotFound() {
  const { t } = useTranslation();
  return <Text>{t("app.not_found")}</Text>;
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const fleet = createRoute({ getParentRoute: () => root, path: "/", component: FleetPage });

const live = createRoute({
  getParentRoute: () => root,
  path: "/robots/$robot/live",
  validateSearch: (search: Record<string, unknown>): { camera?: string } =>
    typeof search.camera === "string" ? { camera: search.camera } : {},
  component: LivePage,
});

const episodes = createRoute({
  getParentRoute: () => root,
  path: "/episodes",
  validateSearch: readEpisodesSearch,
  component: lazyRouteComponent(() => import("@/review/episodes"), "EpisodesPage"),
});

const episode = createRoute({
  getParentRoute: () => root,
  path: "/episodes/$id",
  validateSearch: readEpisodeSearch,
  component: lazyRouteComponent(() => import("@/review/episode"), "EpisodePage"),
});

const policies = createRoute({
  getParentRoute: () => root,
  path: "/policies",
  component: lazyRouteComponent(() => import("@/training/policies"), "PoliciesPage"),
});

const metrics = createRoute({
  getParentRoute: () => root,
  path: "/metrics",
  component: lazyRouteComponent(() => import("@/training/metrics"), "MetricsPage"),
});

const account = createRoute({
  getParentRoute: () => root,
  path: "/account",
  component: lazyRouteComponent(() => import("@/people/account"), "AccountPage"),
});

const users = createRoute({
  getParentRoute: () => root,
  path: "/users",
  component: lazyRouteComponent(() => import("@/people/users"), "UsersPage"),
});

const tokens = createRoute({
  getParentRoute: () => root,
  path: "/tokens",
  component: lazyRouteComponent(() => import("@/people/tokens"), "TokensPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    fleet,
    live,
    episodes,
    episode,
    policies,
    metrics,
    account,
    users,
    tokens,
  ]),
  defaultErrorComponent: Failed,
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
