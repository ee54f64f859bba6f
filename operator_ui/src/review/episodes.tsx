/** All episodes: filtered, sorted and counted by the server, one window of rows in the page. */
import { Button, Group, NumberInput, Select, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useQueries } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { type EpisodeRow, episodesPage, PAGE_ROWS, useRobots } from "@/api/queries";
import { OutcomeMark } from "@/review/outcome";
import classes from "@/review/review.module.css";
import {
  dropAbsent,
  type EpisodesSearch,
  OUTCOMES,
  PURPOSES,
  queryOf,
  readEpisodesSearch,
  type Sort,
} from "@/review/search";

const ROW_PX = 40;

interface Column {
  readonly name:
    | "started"
    | "task"
    | "outcome"
    | "failure_class"
    | "steps"
    | "human"
    | "interventions"
    | "policy"
    | "purpose"
    | "operator"
    | "note";
  readonly width: string;
  readonly sort?: Sort;
  readonly cell: (row: EpisodeRow) => ReactNode;
}

function started(row: EpisodeRow): string {
  return new Date(row.started_t_utc).toLocaleString(undefined, {
    dateStyle: "short",
    timeStyle: "medium",
  });
}

function versions({ policy_versions: found }: EpisodeRow): string {
  if (found.length === 0) return "–";
  const [first, last] = [found[0], found.at(-1)];
  return first === last ? `v${first}` : `v${first}–v${last}`;
}

function humanShare(row: EpisodeRow): string {
  const steps = row.steps ?? Math.max(0, row.stored_steps - 1);
  return steps === 0 || row.human_steps === 0
    ? "–"
    : `${Math.round((100 * row.human_steps) / steps)} %`;
}

const COLUMNS: readonly Column[] = [
  { name: "started", width: "170px", sort: "started", cell: started },
  { name: "task", width: "110px", cell: (row) => row.task },
  {
    name: "outcome",
    width: "130px",
    cell: (row) => <OutcomeMark outcome={row.outcome} />,
  },
  { name: "failure_class", width: "130px", cell: (row) => row.failure_class ?? "" },
  {
    name: "steps",
    width: "70px",
    sort: "steps",
    cell: (row) => row.steps ?? Math.max(0, row.stored_steps - 1),
  },
  {
    name: "interventions",
    width: "110px",
    sort: "interventions",
    cell: (row) => row.interventions || "–",
  },
  { name: "human", width: "90px", sort: "human_steps", cell: humanShare },
  { name: "policy", width: "90px", sort: "policy_version", cell: versions },
  { name: "purpose", width: "120px", cell: (row) => row.purpose },
  { name: "operator", width: "110px", cell: (row) => row.operator ?? "–" },
  { name: "note", width: "minmax(120px, 1fr)", cell: (row) => row.note },
];

const TEMPLATE = COLUMNS.map((column) => column.width).join(" ");

function useFilter() {
  const search = useSearch({ from: "/episodes" });
  const navigate = useNavigate({ from: "/episodes" });
  const change = (part: { [K in keyof EpisodesSearch]?: EpisodesSearch[K] | undefined }) =>
    void navigate({
      search: (before) => readEpisodesSearch(dropAbsent({ ...before, ...part })),
      replace: true,
    });
  const clear = () => void navigate({ search: {}, replace: true });
  return { search, change, clear };
}

function Filters() {
  const { t } = useTranslation();
  const { search, change, clear } = useFilter();
  const robots = useRobots(true).data ?? [];
  const tasks = [...new Set(robots.map((robot) => robot.task))];
  const failures = [...new Set(robots.flatMap((robot) => robot.failure_classes))];
  const setText = useDebouncedCallback((text: string) => change({ text: text || undefined }), 300);
  const choose =
    <K extends keyof EpisodesSearch>(key: K) =>
    (value: string | null) =>
      change({ [key]: value ?? undefined });
  return (
    <Group gap="xs" align="flex-end" mb="sm">
      <TextInput
        size="xs"
        label={t("episodes.text")}
        defaultValue={search.text ?? ""}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Select
        size="xs"
        w={120}
        clearable
        label={t("episodes.task")}
        data={tasks}
        value={search.task ?? null}
        onChange={choose("task")}
      />
      <Select
        size="xs"
        w={130}
        clearable
        label={t("episodes.outcome")}
        data={[...OUTCOMES, "none" as const].map((value) => ({
          value,
          label: t(`outcome.${value}`),
        }))}
        value={search.outcome ?? null}
        onChange={choose("outcome")}
      />
      <Select
        size="xs"
        w={140}
        clearable
        label={t("episodes.failure_class")}
        data={failures}
        value={search.failure_class ?? null}
        onChange={choose("failure_class")}
      />
      <Select
        size="xs"
        w={140}
        clearable
        label={t("episodes.purpose")}
        data={PURPOSES.map((value) => ({ value, label: t(`control.purpose_${value}`) }))}
        value={search.purpose ?? null}
        onChange={choose("purpose")}
      />
      <Select
        size="xs"
        w={140}
        clearable
        label={t("episodes.interventions")}
        data={[
          { value: "true", label: t("episodes.with") },
          { value: "false", label: t("episodes.without") },
        ]}
        value={search.helped === undefined ? null : String(search.helped)}
        onChange={(value) => change({ helped: value === null ? undefined : value === "true" })}
      />
      <Select
        size="xs"
        w={130}
        clearable
        label={t("episodes.training_use")}
        data={[
          { value: "false", label: t("episodes.included") },
          { value: "true", label: t("episodes.excluded") },
        ]}
        value={search.excluded === undefined ? null : String(search.excluded)}
        onChange={(value) => change({ excluded: value === null ? undefined : value === "true" })}
      />
      <NumberInput
        size="xs"
        w={100}
        min={1}
        allowDecimal={false}
        label={t("episodes.policy")}
        value={search.policy_version ?? ""}
        onChange={(value) =>
          change({ policy_version: typeof value === "number" ? value : undefined })
        }
      />
      <Button size="xs" variant="subtle" onClick={clear}>
        {t("episodes.clear")}
      </Button>
    </Group>
  );
}

function Heads() {
  const { t } = useTranslation();
  const { search, change } = useFilter();
  const sorted = search.sort ?? "started";
  return (
    // biome-ignore lint/a11y/useSemanticElements: a windowed table is laid out by grid, not by <tr>
    // biome-ignore lint/a11y/useFocusableInteractive: the buttons inside take the focus
    <div role="row" className={classes.heads} style={{ gridTemplateColumns: TEMPLATE }}>
      {COLUMNS.map(({ name, sort }) => {
        const active = sort !== undefined && sort === sorted;
        const order = active ? (search.ascending ? "ascending" : "descending") : "none";
        return (
          // biome-ignore lint/a11y/useSemanticElements: as above
          // biome-ignore lint/a11y/useFocusableInteractive: as above
          <div role="columnheader" key={name} aria-sort={order}>
            {sort ? (
              <button
                type="button"
                className={classes.sorter}
                onClick={() =>
                  change({ sort, ascending: active && !search.ascending ? true : undefined })
                }
              >
                {t(`episodes.${name}`)}
                {active && (search.ascending ? " ▲" : " ▼")}
              </button>
            ) : (
              t(`episodes.${name}`)
            )}
          </div>
        );
      })}
    </div>
  );
}

function Row({ row, top }: { row: EpisodeRow | undefined; top: number }) {
  const { t } = useTranslation();
  const style = { top, height: ROW_PX, gridTemplateColumns: TEMPLATE };
  if (!row) return <div className={classes.row} style={style} aria-hidden="true" />;
  return (
    <Link
      role="row"
      to="/episodes/$id"
      params={{ id: row.episode_id }}
      className={classes.row}
      style={style}
      data-testid="episode-row"
      data-episode={row.episode_id}
      data-excluded={row.excluded}
      title={row.excluded ? t("episodes.excluded") : undefined}
    >
      {COLUMNS.map((column) => (
        // biome-ignore lint/a11y/useSemanticElements: a windowed table is laid out by grid
        <span role="cell" key={column.name} className={classes.cell}>
          {column.cell(row)}
        </span>
      ))}
    </Link>
  );
}

export function EpisodesPage() {
  const { t } = useTranslation();
  const { search } = useFilter();
  const filter = useMemo(() => queryOf(search), [search]);
  const box = useRef<HTMLDivElement>(null);
  const first = useQueries({ queries: [episodesPage(filter, 0)] })[0];
  const counts = first.data?.counts;
  const rows = useVirtualizer({
    count: counts?.total ?? 0,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const window = rows.getVirtualItems();
  const needed = [...new Set(window.map((item) => Math.floor(item.index / PAGE_ROWS)))];
  const pages = useQueries({ queries: needed.map((page) => episodesPage(filter, page)) });
  const rowAt = (index: number): EpisodeRow | undefined =>
    pages[needed.indexOf(Math.floor(index / PAGE_ROWS))]?.data?.episodes[index % PAGE_ROWS];
  return (
    <>
      <title>{t("episodes.title")}</title>
      <Group gap="lg" mb="xs">
        <Title order={1} size="h3">
          {t("episodes.title")}
        </Title>
        {counts && (
          <Text size="sm" data-testid="counts">
            {t("episodes.counts", { ...counts, helped: counts.with_interventions })}
          </Text>
        )}
      </Group>
      <Filters />
      {first.error && <Text role="alert">{first.error.message}</Text>}
      {counts?.total === 0 && <Text>{t("episodes.none")}</Text>}
      {/* biome-ignore lint/a11y/useSemanticElements: a windowed table is laid out by grid */}
      <div
        ref={box}
        className={classes.table}
        role="table"
        aria-label={t("episodes.title")}
        aria-rowcount={counts?.total ?? 0}
      >
        <Heads />
        {/* biome-ignore lint/a11y/useSemanticElements: as above */}
        <div role="rowgroup" className={classes.rows} style={{ height: rows.getTotalSize() }}>
          {window.map((item) => (
            <Row key={item.key} row={rowAt(item.index)} top={item.start} />
          ))}
        </div>
      </div>
    </>
  );
}
