/** Policy versions, newest first: where each came from and what it learnt from. */
import { Table, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { usePolicies } from "@/api/queries";

export function PoliciesPage() {
  const { t } = useTranslation();
  const { data, error } = usePolicies(undefined);
  if (error) return <Text role="alert">{error.message}</Text>;
  return (
    <>
      <title>{t("app.policies")}</title>
      <Title order={1} size="h3" mb="sm">
        {t("app.policies")}
      </Title>
      {data?.policies.length === 0 && <Text>{t("policies.none")}</Text>}
      <Table.ScrollContainer minWidth={900}>
        <Table highlightOnHover data-testid="policies">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("policies.version")}</Table.Th>
              <Table.Th>{t("policies.task")}</Table.Th>
              <Table.Th>{t("policies.status")}</Table.Th>
              <Table.Th>{t("policies.created")}</Table.Th>
              <Table.Th>{t("policies.algorithm")}</Table.Th>
              <Table.Th>{t("policies.learner_step")}</Table.Th>
              <Table.Th>{t("policies.env_steps")}</Table.Th>
              <Table.Th>{t("policies.interventions")}</Table.Th>
              <Table.Th>{t("policies.size")}</Table.Th>
              <Table.Th>{t("policies.hash")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {data?.policies.map(({ version, status, manifest }) => (
              <Table.Tr key={manifest.policy_id}>
                <Table.Td>
                  <Link to="/episodes" search={{ task: manifest.task, policy_version: version }}>
                    v{version}
                  </Link>
                </Table.Td>
                <Table.Td>{manifest.task}</Table.Td>
                <Table.Td>{t(`policies.status_${status}`)}</Table.Td>
                <Table.Td>{new Date(manifest.created_t_utc).toLocaleString()}</Table.Td>
                <Table.Td>{manifest.algorithm}</Table.Td>
                <Table.Td>{manifest.update?.learner_step ?? "–"}</Table.Td>
                <Table.Td>{manifest.update?.env_steps ?? "–"}</Table.Td>
                <Table.Td>{manifest.update?.new_interventions.length ?? "–"}</Table.Td>
                <Table.Td>
                  {t("policies.mb", { size: (manifest.size_bytes / 1e6).toFixed(1) })}
                </Table.Td>
                <Table.Td>
                  <code>{manifest.sha256.slice(0, 12)}</code>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </>
  );
}
