/** What every page stands in: navigation, the state of the connection, STOP. */
import { ActionIcon, Anchor, Group, Text, useMantineColorScheme } from "@mantine/core";
import { Link, Outlet, useParams } from "@tanstack/react-router";
import { lazy, Suspense, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useRobots, useServerProblem, useSession } from "@/api/queries";
import { Moon, Person, Sun, Warning } from "@/app/icons";
import classes from "@/app/shell.module.css";
import { HardwareStop, StopRobot } from "@/app/stop";
import { useConnections } from "@/live/robots";

function ThemeToggle() {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const dark = colorScheme === "dark";
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="lg"
      aria-label={t(dark ? "app.theme_to_light" : "app.theme_to_dark")}
      onClick={() => setColorScheme(dark ? "light" : "dark")}
    >
      {dark ? <Sun /> : <Moon />}
    </ActionIcon>
  );
}

function Navigation({ robots }: { robots: readonly string[] }) {
  const { t } = useTranslation();
  const [only] = robots;
  return (
    <nav aria-label={t("app.navigation")} className={classes.links}>
      {robots.length === 1 && only ? (
        <Link to="/robots/$robot/live" params={{ robot: only }} className={classes.link}>
          {t("app.live")}
        </Link>
      ) : (
        <Link to="/" activeOptions={{ exact: true }} className={classes.link}>
          {t("app.robots")}
        </Link>
      )}
      <Link to="/episodes" className={classes.link}>
        {t("app.episodes")}
      </Link>
      <Link to="/policies" className={classes.link}>
        {t("app.policies")}
      </Link>
      <Link to="/metrics" className={classes.link}>
        {t("app.metrics")}
      </Link>
    </nav>
  );
}

function ServerProblem() {
  const { t } = useTranslation();
  const problem = useServerProblem();
  if (!problem) return null;
  return (
    <div className={classes.problem} role="alert" data-testid="server-problem">
      <Warning size={18} />
      <span>{t("app.server_problem", { problem })}</span>
    </div>
  );
}

// Whoever is signed in already does not load it.
const SignIn = lazy(() => import("@/app/signin").then(({ SignIn }) => ({ default: SignIn })));

export function Shell() {
  const { t } = useTranslation();
  const session = useSession();
  const signedIn = session.data != null;
  const known = useRobots(signedIn);
  const { robot: here } = useParams({ strict: false });
  const robots = useMemo(() => (known.data ?? []).map((one) => one.robot), [known.data]);
  // On a robot's own page STOP means this robot; everywhere else it means all of them.
  const stopped = useMemo(() => (here ? [here] : robots), [here, robots]);
  const connections = useConnections(signedIn ? stopped : NONE);
  if (session.isPending) return <p className={classes.loading}>{t("app.loading")}</p>;
  if (!signedIn) {
    return (
      <Suspense fallback={<p className={classes.loading}>{t("app.loading")}</p>}>
        <SignIn onRetry={() => void session.refetch()} />
      </Suspense>
    );
  }
  return (
    <div className={classes.shell}>
      <a href="#content" className={classes.skip}>
        {t("app.skip")}
      </a>
      <header className={classes.header}>
        <Anchor component={Link} to="/" underline="never" className={classes.brand}>
          <img src="/icon.svg" alt="" width={28} height={28} />
          <Text span fw={700} c="var(--mantine-color-text)">
            {t("app.name")}
          </Text>
        </Anchor>
        <Navigation robots={robots} />
        <Group gap="xs" className={classes.person}>
          <Link
            to="/account"
            className={classes.link}
            aria-label={t("people.account_of", { name: session.data?.name ?? "" })}
          >
            <Person />
            <Text span size="sm" visibleFrom="lg">
              {session.data?.name}
            </Text>
          </Link>
          <ThemeToggle />
        </Group>
        <HardwareStop connections={connections} />
      </header>
      <StopRobot connections={connections} />
      <ServerProblem />
      <main id="content" className={classes.main}>
        <Outlet />
      </main>
    </div>
  );
}

const NONE: readonly string[] = [];
