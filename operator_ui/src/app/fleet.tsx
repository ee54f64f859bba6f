import { Badge, Card, Group, SimpleGrid, Text, Title } from "@mantine/core";
import { Link, Navigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useRobots } from "@/api/queries";
import { Check, Circle } from "@/app/icons";

/** The start page: the robots; with only one, its live page. */
export function FleetPage() {
  const { t } = useTranslation();
  const robots = useRobots(true);
  const known = robots.data ?? [];
  const [only] = known;
  if (robots.isPending) return <Text>{t("app.loading")}</Text>;
  if (only && known.length === 1) {
    return <Navigate to="/robots/$robot/live" params={{ robot: only.robot }} replace />;
  }
  return (
    <>
      <Title order={1} size="h2" mb="md">
        {t("fleet.title")}
      </Title>
      {known.length === 0 && (
        <Card withBorder maw={560}>
          <Title order={2} size="h4">
            {t("fleet.none_title")}
          </Title>
          <Text mt="xs">{t("fleet.none")}</Text>
        </Card>
      )}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {known.map((one) => (
          <Card
            key={one.robot}
            withBorder
            component={Link}
            to={`/robots/${encodeURIComponent(one.robot)}/live`}
          >
            <Group justify="space-between">
              <Text fw={600}>{one.robot}</Text>
              <Badge
                color={one.connected ? "teal" : "gray"}
                leftSection={one.connected ? <Check size={12} /> : <Circle size={12} />}
              >
                {t(one.connected ? "fleet.connected" : "fleet.away")}
              </Badge>
            </Group>
            <Text size="sm" c="var(--console-quiet)" mt="xs">
              {t("fleet.task", { task: one.task })}
            </Text>
          </Card>
        ))}
      </SimpleGrid>
    </>
  );
}
