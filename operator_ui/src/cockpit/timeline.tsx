/** The running episode's timeline: who drove each step so far. */
import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { DriverLegend, DriverStrip } from "@/app/drivers";
import { Panel } from "@/app/panel";
import type { RobotConnection } from "@/live/connection";
import { useLive } from "@/live/robots";

export function LiveTimeline({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  // The runs change once per step at most (10 Hz), which React takes easily.
  const segments = useLive(connection, (state) => state.segments);
  const most = useLive(connection, (state) => state.telemetry?.episode.max_steps ?? 1);
  const count = useLive(connection, (state) => state.telemetry?.episode.interventions ?? 0);
  const steps = segments.at(-1)?.end ?? 0;
  const human = segments
    .filter((one) => one.interventionId !== null)
    .reduce((sum, one) => sum + one.end - one.start, 0);
  return (
    <Panel
      title={t("timeline.title")}
      testid="live-timeline"
      aside={
        <Text size="sm">
          {t("timeline.interventions", { count })}
          {steps > 0 && ` · ${t("timeline.human", { percent: Math.round((100 * human) / steps) })}`}
        </Text>
      }
    >
      <DriverStrip segments={segments} steps={Math.max(most, steps)} />
      {segments.length === 0 ? (
        <Text size="sm" c="var(--console-quiet)" mt={6}>
          {t("timeline.empty")}
        </Text>
      ) : (
        <DriverLegend segments={segments} />
      )}
    </Panel>
  );
}
