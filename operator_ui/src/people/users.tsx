/** People, for an admin: who may sign in, and as what. */
import { Button, Group, NativeSelect, PasswordInput, Table, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Panel } from "@/app/panel";
import { HandOver, PeoplePage, PressTwice, Refused, when } from "@/people/page";
import {
  PEOPLE,
  type Role,
  type User,
  useAddUser,
  useChangeUser,
  useRemoveUser,
  useResetPassword,
  useUserLink,
  useUsers,
} from "@/people/queries";

export function UsersPage() {
  const { t } = useTranslation();
  const users = useUsers();
  const link = useUserLink();
  const change = useChangeUser();
  const remove = useRemoveUser();
  const reset = useResetPassword();
  return (
    <PeoplePage title={t("people.users")}>
      <Refused error={users.error ?? link.error ?? change.error ?? remove.error ?? reset.error} />
      {link.data && (
        <HandOver
          title={t("people.link_title", { name: link.variables })}
          explain={t("people.link_explain")}
          text={link.data}
          onClose={link.reset}
        />
      )}
      {reset.data && (
        <HandOver
          title={t("people.reset_title", { name: reset.variables })}
          explain={t("people.reset_explain")}
          text={reset.data}
          onClose={reset.reset}
        />
      )}
      <Table.ScrollContainer minWidth={700}>
        <Table highlightOnHover data-testid="users">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("people.name")}</Table.Th>
              <Table.Th>{t("people.role")}</Table.Th>
              <Table.Th>{t("people.signs_in")}</Table.Th>
              <Table.Th>{t("people.since")}</Table.Th>
              <Table.Th>{t("people.end_column")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {users.data?.map((user) => (
              <UserRow
                key={user.name}
                user={user}
                onRole={(role) => change.mutate({ name: user.name, role })}
                onLink={() => link.mutate(user.name)}
                onReset={() => reset.mutate(user.name)}
                onRemove={() => remove.mutate(user.name)}
              />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <AddUser />
    </PeoplePage>
  );
}

function UserRow({
  user,
  onRole,
  onLink,
  onReset,
  onRemove,
}: {
  user: User;
  onRole: (role: Role) => void;
  onLink: () => void;
  onReset: () => void;
  onRemove: () => void;
}) {
  const { t } = useTranslation();
  return (
    <Table.Tr data-testid={`user-${user.name}`}>
      <Table.Td>{user.name}</Table.Td>
      <Table.Td>
        <RoleSelect
          label={t("people.role_of", { name: user.name })}
          labelled={false}
          roles={PEOPLE}
          value={user.role}
          onChange={onRole}
        />
      </Table.Td>
      <Table.Td>{t(user.has_password ? "people.by_password" : "people.by_link")}</Table.Td>
      <Table.Td>{when(user.created_t_utc)}</Table.Td>
      <Table.Td>
        <Group gap="xs">
          <Button size="compact-sm" variant="default" onClick={onLink}>
            {t("people.link")}
          </Button>
          {user.has_password && (
            <PressTwice
              text={t("people.reset")}
              again={t("people.reset_again", { name: user.name })}
              onPress={onReset}
            />
          )}
          <PressTwice
            text={t("people.remove")}
            again={t("people.remove_again", { name: user.name })}
            onPress={onRemove}
          />
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

export function RoleSelect({
  label,
  labelled = true,
  roles,
  value,
  onChange,
}: {
  label: string;
  labelled?: boolean;
  roles: readonly Role[];
  value: Role;
  onChange: (role: Role) => void;
}) {
  const { t } = useTranslation();
  return (
    <NativeSelect
      {...(labelled ? { label } : { "aria-label": label })}
      value={value}
      data={roles.map((role) => ({ value: role, label: t(`people.role_${role}`) }))}
      onChange={(event) => {
        const chosen = roles.find((role) => role === event.currentTarget.value);
        if (chosen) onChange(chosen);
      }}
    />
  );
}

function AddUser() {
  const { t } = useTranslation();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("operator");
  const [password, setPassword] = useState("");
  const add = useAddUser();
  return (
    <Panel title={t("people.add")} testid="add-user">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate(
            { name: name.trim(), role, password: password || null },
            {
              onSuccess: () => {
                setName("");
                setPassword("");
              },
            },
          );
        }}
      >
        <Group align="end">
          <TextInput
            label={t("people.name")}
            description={t("people.name_help")}
            autoComplete="off"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <RoleSelect label={t("people.role")} roles={PEOPLE} value={role} onChange={setRole} />
          <PasswordInput
            label={t("people.password")}
            description={t("people.password_or_link")}
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            w={280}
          />
          <Button type="submit" loading={add.isPending} disabled={name.trim() === ""}>
            {t("people.add_button")}
          </Button>
        </Group>
      </form>
      <Refused error={add.error} />
    </Panel>
  );
}
