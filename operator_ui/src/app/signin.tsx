import { Button, Card, Center, List, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** Shown in place of every page until the one-time link was opened in this browser. */
export function SignIn({ onRetry }: { onRetry: () => void }) {
  const { t } = useTranslation();
  return (
    <Center mih="100dvh" p="md" component="main">
      <Card withBorder maw={560} padding="xl" data-testid="signin">
        <img src="/icon.svg" alt="" width={44} height={44} />
        <Title order={1} size="h2" mt="md">
          {t("signin.title")}
        </Title>
        <Text mt="sm">{t("signin.explain")}</Text>
        <List type="ordered" mt="md" spacing="xs">
          <List.Item>{t("signin.step_terminal")}</List.Item>
          <List.Item>{t("signin.step_link")}</List.Item>
          <List.Item>{t("signin.step_again")}</List.Item>
        </List>
        <Button mt="lg" onClick={onRetry}>
          {t("signin.retry")}
        </Button>
      </Card>
    </Center>
  );
}
