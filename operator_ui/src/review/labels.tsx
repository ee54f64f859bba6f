/** How an episode ended, as people have said over time; saying it again; taking it out of training. */
import { Autocomplete, Button, Group, SegmentedControl, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Outcome } from "@/api/messages";
import { type EpisodeDetail, useExclude, useRelabel, useRobots, useSession } from "@/api/queries";
import { Panel } from "@/app/panel";
import { OutcomeMark } from "@/review/outcome";
import classes from "@/review/review.module.css";
import { OUTCOMES } from "@/review/search";

/** Of the task's robots that are known now, and what was said before. */
export function useFailureClasses(detail: EpisodeDetail): readonly string[] {
  const robots = useRobots(true).data ?? [];
  const known = robots
    .filter((robot) => robot.task === detail.episode.task)
    .flatMap((robot) => robot.failure_classes);
  const said = detail.labels.flatMap((label) => label.failure_class ?? []);
  return [...new Set([...known, ...said])];
}

function History({ detail }: { detail: EpisodeDetail }) {
  const { t } = useTranslation();
  if (detail.labels.length === 0) return <Text size="sm">{t("labels.none")}</Text>;
  return (
    <ol className={classes.historyList} data-testid="label-history">
      {detail.labels.toReversed().map((label, index) => (
        <li key={label.label_id} data-current={index === 0}>
          <OutcomeMark outcome={label.outcome} />
          {label.failure_class && ` ${label.failure_class}`}
          <div className={classes.quiet}>
            {label.author}, {new Date(label.t_utc).toLocaleString()}
            {label.note && ` · “${label.note}”`}
          </div>
        </li>
      ))}
    </ol>
  );
}

function Exclusion({ detail }: { detail: EpisodeDetail }) {
  const { t } = useTranslation();
  const { episode } = detail;
  const exclude = useExclude(episode.episode_id);
  const last = detail.exclusions.at(-1);
  return (
    <Group justify="space-between" mt="md" wrap="nowrap">
      <Text size="sm">
        {t(episode.excluded ? "labels.is_excluded" : "labels.is_included")}
        {last && (
          <span className={classes.quiet}>
            {" "}
            {last.author}, {new Date(last.t_utc).toLocaleString()}
          </span>
        )}
      </Text>
      <Button
        size="xs"
        variant="default"
        loading={exclude.isPending}
        onClick={() => exclude.mutate({ excluded: !episode.excluded, reason: "" })}
      >
        {t(episode.excluded ? "labels.include" : "labels.exclude")}
      </Button>
    </Group>
  );
}

export function Labels({ detail }: { detail: EpisodeDetail }) {
  const { t } = useTranslation();
  const { episode } = detail;
  const relabel = useRelabel(episode.episode_id);
  const [outcome, setOutcome] = useState<Outcome>(episode.outcome ?? "success");
  const [failure, setFailure] = useState(episode.failure_class ?? "");
  const [note, setNote] = useState("");
  const classesKnown = useFailureClasses(detail);
  const role = useSession().data?.role;
  const save = () =>
    relabel.mutate(
      {
        outcome,
        failure_class: outcome === "failure" && failure !== "" ? failure : null,
        note,
      },
      { onSuccess: () => setNote("") },
    );
  return (
    <Panel title={t("labels.title")} testid="labels">
      <History detail={detail} />
      {role !== "engineer" && role !== "admin" ? (
        <Text size="sm">{t("labels.engineers")}</Text>
      ) : (
        <>
          <form
            className={classes.form}
            onSubmit={(event) => {
              event.preventDefault();
              save();
            }}
          >
            <SegmentedControl
              size="xs"
              fullWidth
              aria-label={t("episodes.outcome")}
              value={outcome}
              data={OUTCOMES.map((value) => ({ value, label: t(`outcome.${value}`) }))}
              onChange={setOutcome}
            />
            {outcome === "failure" && (
              <Autocomplete
                size="xs"
                label={t("episodes.failure_class")}
                data={[...classesKnown]}
                value={failure}
                onChange={setFailure}
              />
            )}
            <TextInput
              size="xs"
              label={t("control.note")}
              value={note}
              onChange={(event) => setNote(event.currentTarget.value)}
            />
            {relabel.error && (
              <Text size="sm" role="alert">
                {relabel.error.message}
              </Text>
            )}
            <Button type="submit" size="xs" loading={relabel.isPending} data-testid="relabel">
              {t("labels.save")}
            </Button>
            <Text size="xs" c="var(--console-quiet)">
              {t("labels.help")}
            </Text>
          </form>
          <Exclusion detail={detail} />
        </>
      )}
    </Panel>
  );
}
