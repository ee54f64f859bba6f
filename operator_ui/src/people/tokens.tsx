/** Tokens of robots, learners and scripts, for an admin: shown once, listed, revoked. */
import { Button, Group, NumberInput, Table, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Panel } from "@/app/panel";
import { HandOver, PeoplePage, PressTwice, Refused, when } from "@/people/page";
import {
  ROLES,
  type Role,
  type Token,
  useMakeToken,
  useRevokeToken,
  useTokens,
} from "@/people/queries";
import { RoleSelect } from "@/people/users";

export function TokensPage() {
  const { t } = useTranslation();
  const tokens = useTokens();
  const revoke = useRevokeToken();
  return (
    <PeoplePage title={t("people.tokens")}>
      <Refused error={tokens.error ?? revoke.error} />
      <MakeToken />
      <Table.ScrollContainer minWidth={900}>
        <Table highlightOnHover data-testid="tokens">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("people.role")}</Table.Th>
              <Table.Th>{t("people.name")}</Table.Th>
              <Table.Th>{t("people.task")}</Table.Th>
              <Table.Th>{t("people.made_by")}</Table.Th>
              <Table.Th>{t("people.since")}</Table.Th>
              <Table.Th>{t("people.last_used")}</Table.Th>
              <Table.Th>{t("people.until")}</Table.Th>
              <Table.Th>{t("people.end_column")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {tokens.data?.map((token) => (
              <TokenRow
                key={token.token_id}
                token={token}
                onRevoke={() => revoke.mutate(token.token_id)}
              />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </PeoplePage>
  );
}

function TokenRow({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
  const { t } = useTranslation();
  return (
    <Table.Tr data-testid={`token-${token.name}`}>
      <Table.Td>{t(`people.role_${token.role}`)}</Table.Td>
      <Table.Td>{token.name === "*" ? t("people.any_robot") : token.name}</Table.Td>
      <Table.Td>{token.task ?? t("people.any_task")}</Table.Td>
      <Table.Td>{token.made_by}</Table.Td>
      <Table.Td>{when(token.created_t_utc)}</Table.Td>
      <Table.Td>{token.last_used_t_utc ? when(token.last_used_t_utc) : t("people.never")}</Table.Td>
      <Table.Td>{token.expires_t_utc ? when(token.expires_t_utc) : t("people.for_ever")}</Table.Td>
      <Table.Td>
        {token.revoked_t_utc ? (
          t("people.revoked", { time: when(token.revoked_t_utc) })
        ) : (
          <PressTwice
            text={t("people.revoke")}
            again={t("people.revoke_again", { name: token.name })}
            onPress={onRevoke}
          />
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function MakeToken() {
  const { t } = useTranslation();
  const [role, setRole] = useState<Role>("robot");
  const [name, setName] = useState("");
  const [task, setTask] = useState("");
  const [days, setDays] = useState<number | string>("");
  const make = useMakeToken();
  const machine = role === "robot" || role === "learner";
  return (
    <Panel title={t("people.make")} testid="make-token">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate(
            {
              role,
              name: name.trim(),
              task: (machine && task.trim()) || null,
              days: typeof days === "number" ? days : null,
            },
            { onSuccess: () => setName("") },
          );
        }}
      >
        <Group align="end">
          <RoleSelect label={t("people.role")} roles={ROLES} value={role} onChange={setRole} />
          <TextInput
            label={t("people.name")}
            description={t(role === "robot" ? "people.robot_name_help" : "people.token_name_help")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          {machine && (
            <TextInput
              label={t("people.task")}
              description={t("people.task_help")}
              value={task}
              onChange={(event) => setTask(event.currentTarget.value)}
            />
          )}
          <NumberInput
            label={t("people.days")}
            description={t("people.days_help")}
            min={1}
            max={3650}
            value={days}
            onChange={setDays}
          />
          <Button type="submit" loading={make.isPending} disabled={name.trim() === ""}>
            {t("people.make_button")}
          </Button>
        </Group>
      </form>
      <Refused error={make.error} />
      {make.data && (
        <HandOver
          title={t("people.secret_title", { name: make.data.token.name })}
          explain={t("people.secret_explain")}
          text={make.data.secret}
          onClose={make.reset}
        />
      )}
    </Panel>
  );
}
