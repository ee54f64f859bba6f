/** The takeovers of an episode: where they are, and what each is for training, as people have said. */
import { Button, Group, SegmentedControl, Text } from "@mantine/core";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import type { InterventionUse } from "@/api/messages";
import {
  type EpisodeDetail,
  type EpisodeRow,
  type EpisodeSteps,
  type InterventionRow,
  useDecide,
} from "@/api/queries";
import { Hand } from "@/app/icons";
import { Panel } from "@/app/panel";
import { keyName } from "@/drive/keymap";
import { driveSettings } from "@/drive/settings";
import { decided, type Intervention, interventionsOf, segmentsOf } from "@/live/segments";
import classes from "@/review/review.module.css";

const USES: readonly InterventionUse[] = ["correction", "recovery", "discard"];

/** Where it is by the steps, and what the server knows about it once it is over. */
export interface ReviewedTakeover extends Intervention {
  readonly number: number;
  readonly known: InterventionRow | undefined;
}

export function useTakeovers(detail: EpisodeDetail, steps: EpisodeSteps) {
  const recorded = useMemo(() => segmentsOf(steps.steps.map(momentOf)), [steps.steps]);
  const segments = useMemo(() => {
    const said = detail.interventions.filter((one) => one.decisions.length > 0);
    return decided(recorded, new Map(said.map((one) => [one.intervention_id, one.use])));
  }, [recorded, detail.interventions]);
  const takeovers = useMemo<readonly ReviewedTakeover[]>(
    () =>
      interventionsOf(recorded).map((one, index) => ({
        ...one,
        number: index + 1,
        known: detail.interventions.find((row) => row.intervention_id === one.id),
      })),
    [recorded, detail.interventions],
  );
  return { segments, takeovers };
}

function momentOf(step: EpisodeSteps["steps"][number]) {
  return {
    index: step.index,
    source: step.source,
    phase: step.phase ?? null,
    interventionId: step.intervention_id ?? null,
  };
}

/** Moments that are worth a jump: each takeover's first step. */
export function Jumps({
  takeovers,
  onSeek,
}: {
  takeovers: readonly ReviewedTakeover[];
  onSeek: (index: number) => void;
}) {
  const { t } = useTranslation();
  if (takeovers.length === 0) return null;
  return (
    <Group gap="xs" mt="xs" data-testid="interventions">
      {takeovers.map(({ id, number, start, end, known }) => (
        <Button
          key={id}
          size="xs"
          variant="default"
          leftSection={<Hand size={16} />}
          onClick={() => onSeek(start)}
        >
          {t("episode.intervention", { number, start, end: end - 1 })}
          {known && ` · ${known.operator} · ${t(`takeover.${known.use}`)}`}
          {known?.acting_version != null &&
            ` · ${t("episode.in_policy", { version: known.acting_version })}`}
        </Button>
      ))}
    </Group>
  );
}

function Decisions({ row }: { row: InterventionRow }) {
  const { t } = useTranslation();
  const key = useStore(driveSettings, (settings) => keyName(settings.keys.correction));
  if (row.decisions.length === 0) {
    return <div className={classes.quiet}>{t("takeover.undecided", { key })}</div>;
  }
  return (
    <ol className={classes.historyList} data-testid="decision-history">
      {row.decisions.toReversed().map((said, index) => (
        <li key={said.decision_id} data-current={index === 0}>
          {t(`takeover.${said.use}`)}
          <span className={classes.quiet}>
            {" "}
            {said.author}, {new Date(said.t_utc).toLocaleString()}
            {said.by_default && ` · ${t("takeover.by_default")}`}
          </span>
        </li>
      ))}
    </ol>
  );
}

/** What each takeover is for training, with its history; saying it again. */
export function TakeoverUses({
  episode,
  takeovers,
}: {
  episode: EpisodeRow;
  takeovers: readonly ReviewedTakeover[];
}) {
  const { t } = useTranslation();
  const decide = useDecide(episode.episode_id);
  if (takeovers.length === 0) return null;
  const { purpose } = episode;
  return (
    <Panel title={t("takeover.title")} testid="takeover-uses">
      {purpose !== "training" ? (
        <Text size="sm">{t(`takeover.${purpose}`)}</Text>
      ) : (
        <div className={classes.form}>
          {takeovers.map(({ id, number, start, end, known }) =>
            known ? (
              <div key={id} className={classes.form}>
                <Text size="sm" fw={600}>
                  {t("episode.intervention", { number, start, end: end - 1 })}
                </Text>
                <SegmentedControl
                  size="xs"
                  fullWidth
                  aria-label={t("takeover.question")}
                  value={known.use}
                  data={USES.map((value) => ({ value, label: t(`takeover.${value}`) }))}
                  onChange={(use) => decide.mutate({ interventionId: id, use })}
                />
                <Decisions row={known} />
              </div>
            ) : null,
          )}
          {decide.error && (
            <Text size="sm" role="alert">
              {decide.error.message}
            </Text>
          )}
          <Text size="xs" c="var(--console-quiet)">
            {t("takeover.help")}
          </Text>
        </div>
      )}
    </Panel>
  );
}
