import { Alert, Button, Card, Center, PasswordInput, Text, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSignIn } from "@/people/queries";

/** Shown in place of every page until somebody is signed in: by password, or by a one-time link. */
export function SignIn({ onRetry }: { onRetry: () => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useSignIn();
  return (
    <Center mih="100dvh" p="md" component="main">
      <Card withBorder w="100%" maw={460} padding="xl" data-testid="signin">
        <img src="/icon.svg" alt="" width={44} height={44} />
        <Title order={1} size="h2" mt="md">
          {t("signin.title")}
        </Title>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            signIn.mutate({ name, password });
          }}
        >
          <TextInput
            mt="md"
            label={t("signin.name")}
            autoComplete="username"
            autoCapitalize="none"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <PasswordInput
            mt="sm"
            label={t("signin.password")}
            autoComplete="current-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {signIn.error && (
            <Alert mt="md" color="red" variant="outline" role="alert">
              {signIn.error.message}
            </Alert>
          )}
          <Button
            mt="lg"
            type="submit"
            fullWidth
            loading={signIn.isPending}
            disabled={name.trim() === "" || password === ""}
          >
            {t("signin.button")}
          </Button>
        </form>
        <Text mt="lg" size="sm" c="var(--console-quiet)">
          {t("signin.link")}
        </Text>
        <Button mt="xs" size="compact-sm" variant="default" onClick={onRetry}>
          {t("signin.retry")}
        </Button>
      </Card>
    </Center>
  );
}
