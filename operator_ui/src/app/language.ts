import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import english from "@/app/english.json";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "console";
    resources: { console: typeof english };
  }
}

await i18next.use(initReactI18next).init({
  lng: "en",
  fallbackLng: "en",
  defaultNS: "console",
  resources: { en: { console: english } },
  // React escapes what it shows.
  interpolation: { escapeValue: false },
});

export const language = i18next;
