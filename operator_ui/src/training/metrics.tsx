/** The figures of training, in all and by policy version, each with its definition. */
import { Button, Card, Group, SimpleGrid, Table, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Figures, type MetricsSummary, useMetrics } from "@/api/queries";

const REFRESH_MS = 5_000;

type Classifier = MetricsSummary["classifier"];
type Share = Figures["autonomous_success"];

function percent(share: number | null): string {
  return share === null ? "–" : `${Math.round(100 * share)} %`;
}

function shareText(share: Share): string {
  if (share.value === null) return "–";
  const interval = `${Math.round(100 * share.low)}–${Math.round(100 * share.high)} %`;
  return `${percent(share.value)} (${interval}, n = ${share.trials})`;
}

function number(value: number | null, digits = 1): string {
  return value === null ? "–" : value.toFixed(digits);
}

/** The figure's name, and how it is written. */
const FIGURES = [
  ["autonomous_success", (all: Figures) => shareText(all.autonomous_success)],
  ["assisted_success", (all: Figures) => shareText(all.assisted_success)],
  ["intervention_rate", (all: Figures) => percent(all.intervention_rate)],
  ["takeovers_per_episode", (all: Figures) => number(all.takeovers_per_episode, 2)],
  [
    "mean_time_between_interventions_s",
    (all: Figures) => number(all.mean_time_between_interventions_s),
  ],
  [
    "human_minutes_per_autonomous_success",
    (all: Figures) => number(all.human_minutes_per_autonomous_success, 2),
  ],
  ["longest_streak", (all: Figures) => String(all.longest_streak)],
  ["episodes", (all: Figures) => String(all.episodes)],
] as const;

/** Whether the success classifier still says what people say; nothing where there is none. */
function Agreement({ classifier }: { classifier: Classifier }) {
  const { t } = useTranslation();
  const { episodes: trials, agreed: successes, value, low, high } = classifier;
  if (trials === 0) return null;
  return (
    <Card withBorder data-testid="classifier-agreement">
      <Text size="sm">{t("metrics.classifier")}</Text>
      <Text size="xl" fw={700}>
        {shareText({ trials, successes, value, low, high })}
      </Text>
      <Text size="xs" c="var(--console-quiet)">
        {t("metrics.classifier_means", { ...classifier })}
      </Text>
      {classifier.warning && (
        <Text size="sm" role="alert">
          {classifier.warning}
        </Text>
      )}
    </Card>
  );
}

/** What the risk critic held back, and what people did about it; nothing where it never judged. */
function Risk({ risk }: { risk: MetricsSummary["risk"] }) {
  const { t } = useTranslation();
  if (risk.episodes === 0) return null;
  return (
    <Card withBorder data-testid="risk-counts">
      <Text size="sm">{t("metrics.risk")}</Text>
      <Text size="xl" fw={700}>
        {t("metrics.risk_value", { vetoes: risk.vetoes })}
      </Text>
      <Text size="xs" c="var(--console-quiet)">
        {t("metrics.risk_means", { ...risk })}
      </Text>
    </Card>
  );
}

export function MetricsPage() {
  const { t } = useTranslation();
  const [below, setBelow] = useState<number | null>(null);
  const { data, error } = useMetrics(below === null ? {} : { below }, REFRESH_MS);
  if (error) return <Text role="alert">{error.message}</Text>;
  if (!data) return <Text>{t("app.loading")}</Text>;
  return (
    <>
      <title>{t("app.metrics")}</title>
      <Title order={1} size="h3" mb="sm">
        {t("app.metrics")}
      </Title>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 4 }} mb="lg">
        {FIGURES.map(([name, text]) => (
          <Card key={name} withBorder>
            <Text size="sm">{t(`metrics.${name}`)}</Text>
            <Text size="xl" fw={700}>
              {text(data.all)}
            </Text>
            <Text size="xs" c="var(--console-quiet)">
              {t(`metrics.${name}_means`)}
            </Text>
          </Card>
        ))}
        <Agreement classifier={data.classifier} />
        <Risk risk={data.risk} />
      </SimpleGrid>
      <Title order={2} size="h4" mb="xs">
        {t("metrics.by_version")}
      </Title>
      <Table.ScrollContainer minWidth={800}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("policies.version")}</Table.Th>
              {FIGURES.map(([name]) => (
                <Table.Th key={name}>{t(`metrics.${name}`)}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {data.versions.map(({ version, figures }) => (
              <Table.Tr key={version ?? "none"}>
                <Table.Td>{version === null ? "–" : `v${version}`}</Table.Td>
                {FIGURES.map(([name, text]) => (
                  <Table.Td key={name}>{text(figures)}</Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Group mt="xs">
        {below !== null && (
          <Button variant="default" onClick={() => setBelow(null)}>
            {t("metrics.newest_versions")}
          </Button>
        )}
        {data.next_below !== null && (
          <Button variant="default" onClick={() => setBelow(data.next_below)}>
            {t("metrics.older_versions")}
          </Button>
        )}
      </Group>
    </>
  );
}
