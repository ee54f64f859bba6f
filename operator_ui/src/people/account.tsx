/** The caller's own account: where it is signed in, and its password. */
import { Button, Group, PasswordInput, Table, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSession } from "@/api/queries";
import { Panel } from "@/app/panel";
import { PeoplePage, PressTwice, Refused, when } from "@/people/page";
import { useEndSession, useNewPassword, useOpenSessions, useSignOut } from "@/people/queries";

export function AccountPage() {
  const { t } = useTranslation();
  const session = useSession();
  const signOut = useSignOut();
  const me = session.data;
  return (
    <PeoplePage title={t("people.account")}>
      <Group mb="sm">
        <Text>{t("people.signed_in_as", { name: me?.name ?? "", role: me?.role ?? "" })}</Text>
        <Button size="compact-sm" variant="default" onClick={() => signOut.mutate()}>
          {t("people.sign_out")}
        </Button>
      </Group>
      <Refused error={signOut.error} />
      <Sessions />
      {me?.account && <Password />}
    </PeoplePage>
  );
}

function Sessions() {
  const { t } = useTranslation();
  const open = useOpenSessions();
  const end = useEndSession();
  return (
    <Panel title={t("people.sessions")} testid="sessions">
      <Refused error={open.error ?? end.error} />
      <Table.ScrollContainer minWidth={700}>
        <Table highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("people.browser")}</Table.Th>
              <Table.Th>{t("people.address")}</Table.Th>
              <Table.Th>{t("people.since")}</Table.Th>
              <Table.Th>{t("people.last_used")}</Table.Th>
              <Table.Th>{t("people.until")}</Table.Th>
              <Table.Th>{t("people.end_column")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {open.data?.map((one) => (
              <Table.Tr key={one.session_id}>
                <Table.Td maw={420}>{one.browser || "–"}</Table.Td>
                <Table.Td>{one.address || "–"}</Table.Td>
                <Table.Td>{when(one.created_t_utc)}</Table.Td>
                <Table.Td>{when(one.last_used_t_utc)}</Table.Td>
                <Table.Td>{when(one.expires_t_utc)}</Table.Td>
                <Table.Td>
                  {one.here ? (
                    t("people.here")
                  ) : (
                    <PressTwice
                      text={t("people.end")}
                      again={t("people.end_again")}
                      onPress={() => end.mutate(one.session_id)}
                    />
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  );
}

function Password() {
  const { t } = useTranslation();
  const [current, setCurrent] = useState("");
  const [wanted, setWanted] = useState("");
  const change = useNewPassword();
  return (
    <Panel title={t("people.password")} testid="password">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate(
            { current: current || null, new: wanted },
            {
              onSuccess: () => {
                setCurrent("");
                setWanted("");
              },
            },
          );
        }}
      >
        <Group align="end">
          <PasswordInput
            label={t("people.password_current")}
            description={t("people.password_current_help")}
            autoComplete="current-password"
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
            w={280}
          />
          <PasswordInput
            label={t("people.password_new")}
            description={t("people.password_help")}
            autoComplete="new-password"
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
            w={280}
          />
          <Button type="submit" loading={change.isPending} disabled={wanted === ""}>
            {t("people.password_change")}
          </Button>
        </Group>
      </form>
      <Refused error={change.error} />
      {change.isSuccess && (
        <Text size="sm" mt="xs" role="status">
          {t("people.password_changed")}
        </Text>
      )}
    </Panel>
  );
}
