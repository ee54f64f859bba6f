/** What people say about a range of steps. Nothing is deleted: a withdrawn annotation stays in the history. */
import { Autocomplete, Button, Group, Text, Textarea } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type AnnotationRow, type EpisodeDetail, useAnnotate } from "@/api/queries";
import { Panel } from "@/app/panel";
import { useFailureClasses } from "@/review/labels";
import type { StepRange } from "@/review/playback";
import classes from "@/review/review.module.css";

/** Those that count: neither replaced nor withdrawn. */
export function standing(rows: readonly AnnotationRow[]): readonly AnnotationRow[] {
  const replaced = new Set(rows.map((row) => row.replaces));
  return rows.filter((row) => !row.withdrawn && !replaced.has(row.annotation_id));
}

export function Annotations({
  detail,
  range,
  onIn,
  onOut,
  onShow,
}: {
  detail: EpisodeDetail;
  range: StepRange;
  onIn: () => void;
  onOut: () => void;
  onShow: (index: number) => void;
}) {
  const { t } = useTranslation();
  const annotate = useAnnotate(detail.episode.episode_id);
  const known = useFailureClasses(detail);
  const [failure, setFailure] = useState("");
  const [text, setText] = useState("");
  const save = () =>
    annotate.mutate(
      {
        first_index: range.first,
        last_index: range.last,
        failure_class: failure || null,
        text,
        shows_success: null,
        replaces: null,
        withdrawn: false,
      },
      {
        onSuccess: () => {
          setText("");
          setFailure("");
        },
      },
    );
  const withdraw = (row: AnnotationRow) =>
    annotate.mutate({
      first_index: row.first_index,
      last_index: row.last_index,
      failure_class: row.failure_class,
      text: row.text,
      shows_success: row.shows_success,
      replaces: row.annotation_id,
      withdrawn: true,
    });
  return (
    <Panel title={t("annotations.title")} testid="annotations">
      <ul className={classes.historyList}>
        {standing(detail.annotations).map((row) => (
          <li key={row.annotation_id}>
            <Group justify="space-between" wrap="nowrap" gap="xs">
              <Button size="compact-xs" variant="default" onClick={() => onShow(row.first_index)}>
                {t("timeline.step", { start: row.first_index, end: row.last_index })}
              </Button>
              <Button size="compact-xs" variant="subtle" onClick={() => withdraw(row)}>
                {t("annotations.withdraw")}
              </Button>
            </Group>
            {row.shows_success !== null && (
              <strong>{t(row.shows_success ? "marks.success" : "marks.none")} </strong>
            )}
            {row.failure_class && <strong>{row.failure_class} </strong>}
            {row.text}
            <div className={classes.quiet}>
              {row.author}, {new Date(row.t_utc).toLocaleString()}
            </div>
          </li>
        ))}
      </ul>
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <Group gap="xs">
          <Button size="compact-xs" variant="default" onClick={onIn}>
            {t("annotations.in")} I
          </Button>
          <Button size="compact-xs" variant="default" onClick={onOut}>
            {t("annotations.out")} O
          </Button>
          <Text size="sm" className={classes.numbers}>
            {t("timeline.step", { start: range.first, end: range.last })}
          </Text>
        </Group>
        <Autocomplete
          size="xs"
          label={t("episodes.failure_class")}
          data={[...known]}
          value={failure}
          onChange={setFailure}
        />
        <Textarea
          size="xs"
          autosize
          minRows={2}
          label={t("annotations.text")}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        {annotate.error && (
          <Text size="sm" role="alert">
            {annotate.error.message}
          </Text>
        )}
        <Button
          type="submit"
          size="xs"
          loading={annotate.isPending}
          disabled={text === "" && failure === ""}
        >
          {t("annotations.save")}
        </Button>
      </form>
    </Panel>
  );
}
