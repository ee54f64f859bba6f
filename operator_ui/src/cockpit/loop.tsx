/** How regularly control ticks: one figure, and all of them for who asks. */
import { Popover, Table, Text, UnstyledButton } from "@mantine/core";
import { useCallback, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { RobotConnection } from "@/live/connection";
import { useDrawing, useLive } from "@/live/robots";
import type { LiveState } from "@/live/state";
import { tickText } from "@/live/words";

const COLUMNS = ["p50", "p99", "p999", "largest"] as const;

function AllTimes({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const loop = useLive(connection, (state) => state.telemetry?.loop ?? null);
  if (!loop) return null;
  const rows = [
    {
      name: t("live.loop_took"),
      us: [loop.latency_p50_us, loop.latency_p99_us, loop.latency_p999_us, loop.latency_max_us],
    },
    {
      name: t("live.loop_period"),
      us: [loop.period_p50_us, loop.period_p99_us, loop.period_p999_us, loop.period_max_us],
    },
  ];
  return (
    <>
      <Text size="xs" c="var(--console-quiet)" maw={340}>
        {t("live.loop_explain")}
      </Text>
      <Table data-testid="loop-times" aria-label={t("live.loop")}>
        <Table.Thead>
          <Table.Tr>
            <Table.Td />
            {COLUMNS.map((column) => (
              <Table.Th key={column} scope="col">
                {t(`live.loop_${column}`)}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ name, us }) => (
            <Table.Tr key={name}>
              <Table.Th scope="row">{name}</Table.Th>
              {COLUMNS.map((column, place) => (
                <Table.Td key={column}>{tickText(us[place] ?? 0)}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="xs">{t("live.loop_missed", { count: loop.missed_ticks })}</Text>
    </>
  );
}

export function LoopTimes({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const text = useRef<HTMLSpanElement>(null);
  const draw = useCallback(({ telemetry }: LiveState) => {
    if (text.current && telemetry) {
      text.current.textContent = tickText(telemetry.loop.latency_p99_us);
    }
  }, []);
  useDrawing(connection, draw);
  return (
    <Popover position="bottom-end" withArrow shadow="md">
      <Popover.Target>
        <UnstyledButton
          aria-label={t("live.loop")}
          data-testid="loop"
          fz="inherit"
          fw="inherit"
          td="underline dotted"
        >
          <span ref={text} />
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <AllTimes connection={connection} />
      </Popover.Dropdown>
    </Popover>
  );
}
