/** What the pages about people share: their head, a press that asks once more, a text to hand over. */
import { Alert, Button, Code, CopyButton, Group, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSession } from "@/api/queries";
import shell from "@/app/shell.module.css";

export function PeoplePage({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useTranslation();
  const session = useSession();
  return (
    <>
      <title>{title}</title>
      {session.data?.role === "admin" && (
        <nav aria-label={t("people.navigation")} className={shell.links}>
          <Link to="/account" className={shell.link}>
            {t("people.account")}
          </Link>
          <Link to="/users" className={shell.link}>
            {t("people.users")}
          </Link>
          <Link to="/tokens" className={shell.link}>
            {t("people.tokens")}
          </Link>
        </nav>
      )}
      <Title order={1} size="h3" my="sm">
        {title}
      </Title>
      {children}
    </>
  );
}

/** For what cannot be undone: the second press does it, looking elsewhere forgets the first. */
export function PressTwice({
  text,
  again,
  onPress,
}: {
  text: string;
  again: string;
  onPress: () => void;
}) {
  const [asked, setAsked] = useState(false);
  return (
    <Button
      size="compact-sm"
      variant={asked ? "filled" : "default"}
      {...(asked && { color: "red.9" })}
      onBlur={() => setAsked(false)}
      onClick={() => {
        if (asked) onPress();
        setAsked(!asked);
      }}
    >
      {asked ? again : text}
    </Button>
  );
}

/** A secret or a link, shown once. */
export function HandOver({
  title,
  explain,
  text,
  onClose,
}: {
  title: string;
  explain: string;
  text: string;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  return (
    <Alert
      title={title}
      variant="outline"
      color="blue"
      my="sm"
      withCloseButton
      closeButtonLabel={t("people.close")}
      onClose={onClose}
      data-testid="hand-over"
    >
      <Text size="sm">{explain}</Text>
      <Group mt="xs" gap="xs">
        <Code block>{text}</Code>
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button size="compact-sm" variant="default" onClick={copy}>
              {t(copied ? "people.copied" : "people.copy")}
            </Button>
          )}
        </CopyButton>
      </Group>
    </Alert>
  );
}

/** The server's sentence about the last change that failed. */
export function Refused({ error }: { error: Error | null | undefined }) {
  if (!error) return null;
  return (
    <Alert color="red" variant="outline" my="sm" role="alert">
      {error.message}
    </Alert>
  );
}

export function when(time: string | null): string {
  return time === null ? "–" : new Date(time).toLocaleString();
}
