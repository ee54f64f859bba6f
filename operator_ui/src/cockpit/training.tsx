/** The training strip: does it get better, how often do people step in, what has the learner done. */
import { Text } from "@mantine/core";
import type { TFunction } from "i18next";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type Figures, useRecentFigures } from "@/api/queries";
import { Panel } from "@/app/panel";
import classes from "@/cockpit/training.module.css";
import type { RobotConnection } from "@/live/connection";
import { useLive } from "@/live/robots";
import { agoText } from "@/live/words";

const SHOWN_VERSIONS = 8;

function Figure({ name, value, detail }: { name: string; value: ReactNode; detail: string }) {
  return (
    <div className={classes.figure}>
      <div className={classes.name}>{name}</div>
      <div className={classes.value}>{value}</div>
      <div className={classes.detail}>{detail}</div>
    </div>
  );
}

function percent(share: number | null | undefined): string {
  return share == null ? "–" : `${Math.round(100 * share)} %`;
}

function successText(t: TFunction, figures: Figures): string {
  const { successes, trials, low, high } = figures.autonomous_success;
  if (trials === 0) return t("training.success_none");
  const interval = `${Math.round(100 * low)}–${Math.round(100 * high)} %`;
  return t("training.success_of", { successes, episodes: trials, interval });
}

function Learner({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const progress = useLive(connection, (state) => state.training?.progress ?? null);
  if (!progress) {
    return <Figure name={t("training.steps")} value="–" detail={t("training.learner_none")} />;
  }
  const detail = t("training.steps_total", {
    updates: progress.learner_step,
    steps: progress.env_steps,
  });
  return (
    <Figure
      name={t("training.steps")}
      value={t("training.steps_value", { rate: progress.steps_per_s.toFixed(0) })}
      detail={progress.message || (progress.paused ? t("training.learner_paused") : detail)}
    />
  );
}

/** What the newest version's risk critic is calibrated to, and how many stayed below it. */
function RiskThreshold({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const told = useLive(
    connection,
    (state) => state.training?.versions[0]?.manifest.update?.losses ?? null,
  );
  const episodes = told?.risk_calibrated_on;
  if (told === null || episodes === undefined) return null;
  const { risk_threshold: threshold, risk_coverage: coverage, risk_covered_of: count } = told;
  const covered =
    coverage === undefined
      ? t("training.risk_of", { episodes })
      : t("training.risk_covered", { percent: Math.round(100 * coverage), count: count ?? 0 });
  return (
    <Figure
      name={t("training.risk")}
      value={threshold === undefined ? "–" : threshold.toFixed(2)}
      detail={threshold === undefined ? t("training.risk_none", { episodes }) : covered}
    />
  );
}

function Versions({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const training = useLive(connection, (state) => state.training);
  const acting = useLive(connection, (state) => state.telemetry?.policy_version ?? null);
  const versions = (training?.versions ?? []).slice(0, SHOWN_VERSIONS);
  return (
    <div className={classes.versions}>
      <div className={classes.name}>{t("training.versions")}</div>
      {versions.length === 0 ? (
        <Text size="sm">{t("training.no_versions")}</Text>
      ) : (
        <ol className={classes.list}>
          {versions.map((one) => (
            <li
              key={one.version}
              className={classes.version}
              data-acting={one.version === acting}
              title={agoText(one.manifest.created_t_utc, Date.now())}
            >
              {one.version === acting ? `▶ v${one.version}` : `v${one.version}`}
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

function LastCorrection({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const last = useLive(connection, (state) => state.corrections[0] ?? null);
  const user = useLive(connection, (state) => state.user);
  if (!last) {
    return (
      <Text size="sm" c="var(--console-quiet)">
        {t("training.no_correction")}
      </Text>
    );
  }
  const figures = { version: last.version, latency: last.latency_s.toFixed(1) };
  return (
    <Text size="sm" fw={600} data-testid="correction-trained">
      {last.operator === user
        ? t("training.correction", figures)
        : t("training.correction_other", { ...figures, operator: last.operator })}
    </Text>
  );
}

export function TrainingStrip({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const task = useLive(connection, (state) => state.presence?.task ?? null);
  // Their success is told apart by purpose, or 20 training episodes would push every evaluation out.
  const evaluations = useRecentFigures(task, "evaluation").data?.all;
  const figures = useRecentFigures(task, "training").data?.all;
  return (
    <Panel title={t("training.title")} testid="training">
      <div className={classes.strip}>
        <Figure
          name={t("training.success")}
          value={percent(evaluations?.autonomous_success.value)}
          detail={evaluations ? successText(t, evaluations) : ""}
        />
        <Figure
          name={t("training.assisted")}
          value={percent(figures?.assisted_success.value)}
          detail={
            figures
              ? t("training.assisted_of", {
                  successes: figures.assisted_success.successes,
                  count: figures.assisted_success.trials,
                })
              : ""
          }
        />
        <Figure
          name={t("training.intervention")}
          value={percent(figures?.intervention_rate)}
          detail={figures ? t("training.intervention_of", { count: figures.episodes }) : ""}
        />
        <Learner connection={connection} />
        <RiskThreshold connection={connection} />
        <Versions connection={connection} />
      </div>
      <div role="status" className={classes.correction}>
        <LastCorrection connection={connection} />
      </div>
    </Panel>
  );
}
