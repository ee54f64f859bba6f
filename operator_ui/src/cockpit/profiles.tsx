/** Limit profiles: a toggle for each that the cell declares, and what the active ones leave. */
import { Button, Text } from "@mantine/core";
import { useId, useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { LimitProfileStatus } from "@/api/messages";
import { request } from "@/cockpit/commands";
import classes from "@/cockpit/rail.module.css";
import type { RobotConnection } from "@/live/connection";
import { stays, tightest } from "@/live/profiles";
import { useLive } from "@/live/robots";
import { leaseOf } from "@/live/state";

const NONE: readonly LimitProfileStatus[] = [];

/** They come 20 times a second; the page draws them when they change. */
function useProfiles(connection: RobotConnection): readonly LimitProfileStatus[] {
  const text = useLive(connection, ({ telemetry }) =>
    JSON.stringify(telemetry?.limit_profiles ?? NONE),
  );
  return useMemo(() => JSON.parse(text) as LimitProfileStatus[], [text]);
}

function Toggle({
  connection,
  profile,
}: {
  connection: RobotConnection;
  profile: LimitProfileStatus;
}) {
  const { t } = useTranslation();
  const hint = useId();
  const lease = useLive(connection, leaseOf);
  const why = stays(profile, lease);
  const { name, active } = profile;
  return (
    <>
      <Button
        size="compact-sm"
        variant="default"
        className={classes.profile}
        aria-pressed={active}
        aria-describedby={why === null ? undefined : hint}
        disabled={why !== null}
        data-testid={`profile-${name}`}
        onClick={(event) => {
          // After a click the keys belong to the robot again, not to the button.
          if (event.detail > 0) event.currentTarget.blur();
          request(connection, { kind: "set_limit_profile", profile: name, on: !active });
        }}
      >
        {profile.text}
      </Button>
      {why !== null && (
        <span id={hint} className={classes.quiet}>
          {t(`rail.profile_${why}`)}
        </span>
      )}
    </>
  );
}

export function Profiles({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const profiles = useProfiles(connection);
  if (profiles.length === 0) return null;
  const { speed, force } = tightest(profiles);
  const parts = [
    speed === null ? "" : t("rail.profile_speed", { speed }),
    force === null ? "" : t("rail.profile_force", { force: force.toFixed(0) }),
  ].filter((part) => part !== "");
  const active = profiles.some((profile) => profile.active);
  return (
    <fieldset className={classes.profiles} aria-label={t("rail.profiles")} data-testid="profiles">
      <span className={classes.quiet}>{t("rail.profiles")}</span>
      {profiles.map((profile) => (
        <Toggle key={profile.name} connection={connection} profile={profile} />
      ))}
      <Text size="xs" role="status" data-testid="profiles-effect">
        {active && t("rail.profiles_active", { effect: parts.join(", ") || "–" })}
      </Text>
    </fieldset>
  );
}
