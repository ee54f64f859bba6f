/** Who drove, painted: colour, pattern and word for each, the same live and in review. */
import { useTranslation } from "react-i18next";
import classes from "@/app/drivers.module.css";
import type { Driver, Segment } from "@/live/segments";

export const DRIVERS: readonly Driver[] = [
  "policy",
  "recovery",
  "correction",
  "discarded",
  "rewind",
  "reset",
  "hold",
];

export function DriverStrip({
  segments,
  steps,
  height = 26,
}: {
  segments: readonly Segment[];
  steps: number;
  height?: number;
}) {
  const { t } = useTranslation();
  const percent = (step: number) => `${(100 * step) / Math.max(1, steps)}%`;
  return (
    <div className={classes.strip} style={{ height }} data-testid="driver-strip">
      {segments.map((segment) => (
        <div
          key={segment.start}
          className={classes.segment}
          data-driver={segment.driver}
          data-intervention={segment.interventionId ?? undefined}
          style={{ left: percent(segment.start), width: percent(segment.end - segment.start) }}
          title={`${t(`driver.${segment.driver}`)}, ${t("timeline.step", {
            start: segment.start,
            end: segment.end - 1,
          })}`}
        />
      ))}
    </div>
  );
}

/** Names the drivers that occur; a strip never stands without it. */
export function DriverLegend({ segments }: { segments: readonly Segment[] }) {
  const { t } = useTranslation();
  const present = DRIVERS.filter((driver) => segments.some((one) => one.driver === driver));
  return (
    <ul className={classes.legend}>
      {present.map((driver) => (
        <li key={driver}>
          <span className={classes.swatch} data-driver={driver} /> {t(`driver.${driver}`)}
        </li>
      ))}
    </ul>
  );
}
