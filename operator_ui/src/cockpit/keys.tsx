/** The keys: what each does, and giving it another one. */
import { Alert, Button, Group, Modal, SimpleGrid, Switch, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import classes from "@/cockpit/keys.module.css";
import {
  type Action,
  actionOf,
  DEFAULT_KEYS,
  HELD_ACTIONS,
  keyName,
  PRESSED_ACTIONS,
  refusal,
} from "@/drive/keymap";
import { driveSettings } from "@/drive/settings";

const LABELLING = new Set<Action>(["success", "failure", "note"]);
const DRIVING = new Set<Action>([
  "gripper",
  "give_back",
  "correction",
  "recovery",
  "discard",
  "arm",
  "frame",
  "slower",
  "faster",
]);

const GROUPS = [
  {
    title: "keys.group_drive",
    actions: [...HELD_ACTIONS, ...PRESSED_ACTIONS.filter((one) => DRIVING.has(one))],
  },
  {
    title: "keys.group_episode",
    actions: PRESSED_ACTIONS.filter(
      (one) => !DRIVING.has(one) && !LABELLING.has(one) && !one.startsWith("class_"),
    ),
  },
  {
    title: "keys.group_label",
    actions: PRESSED_ACTIONS.filter((one) => LABELLING.has(one) || one.startsWith("class_")),
  },
] as const;

/** Waits for the next key and gives it to the action, or says why not. */
function useRemapping() {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<Action | null>(null);
  const [complaint, setComplaint] = useState<string | null>(null);
  useEffect(() => {
    if (!chosen) return;
    const listen = (event: KeyboardEvent) => {
      event.preventDefault();
      event.stopPropagation();
      const { keys } = driveSettings.getState();
      const { code } = event;
      const reason = code === "Escape" ? null : refusal(keys, chosen, code);
      const owner = actionOf(keys, code);
      const names = { key: keyName(code), action: owner ? t(`action.${owner}`) : "" };
      setComplaint(reason === null ? null : t(`keys.refused_${reason}`, names));
      if (reason === null && code !== "Escape") {
        driveSettings.setState({ keys: { ...keys, [chosen]: code } });
      }
      setChosen(null);
    };
    window.addEventListener("keydown", listen, { capture: true });
    return () => window.removeEventListener("keydown", listen, { capture: true });
  }, [chosen, t]);
  return { chosen, choose: setChosen, complaint, forget: () => setComplaint(null) };
}

export default function KeysDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const { keys, singleKeys } = useStore(driveSettings);
  const { chosen, choose, complaint, forget } = useRemapping();
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={t("keys.title")}
      size="xl"
      closeOnEscape={chosen === null}
      closeButtonProps={{ "aria-label": t("live.dismiss") }}
    >
      <Text size="sm">{t("keys.hint")}</Text>
      <Group justify="space-between" my="sm">
        <Switch
          label={t("keys.single")}
          description={t("keys.single_help")}
          checked={singleKeys}
          onChange={(event) => driveSettings.setState({ singleKeys: event.currentTarget.checked })}
        />
        <Button
          variant="default"
          size="xs"
          onClick={() => {
            forget();
            driveSettings.setState({ keys: DEFAULT_KEYS });
          }}
        >
          {t("keys.defaults")}
        </Button>
      </Group>
      {complaint && (
        <Alert color="yellow" mb="sm" role="alert">
          {complaint}
        </Alert>
      )}
      <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="lg">
        {GROUPS.map((group) => (
          <section key={group.title}>
            <h3 className={classes.title}>{t(group.title)}</h3>
            {group.actions.map((action) => (
              <div key={action} className={classes.row}>
                <span>{t(`action.${action}`)}</span>
                <Button
                  size="compact-xs"
                  variant={chosen === action ? "filled" : "default"}
                  className={classes.key}
                  aria-label={t("keys.change", {
                    action: t(`action.${action}`),
                    key: keyName(keys[action]),
                  })}
                  onClick={() => choose(action)}
                >
                  {chosen === action ? t("keys.press") : keyName(keys[action])}
                </Button>
              </div>
            ))}
          </section>
        ))}
      </SimpleGrid>
      <Text size="sm" mt="md">
        {t("keys.gamepad")}
      </Text>
      <Text size="sm" mt={4}>
        {t("keys.spacemouse")}
      </Text>
    </Modal>
  );
}
