import type { ReactNode } from "react";
import classes from "@/app/panel.module.css";

/** A titled box of a page. */
export function Panel({
  title,
  aside,
  children,
  testid,
}: {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
  testid?: string;
}) {
  return (
    <section className={classes.panel} aria-label={title} data-testid={testid}>
      <header className={classes.head}>
        <h2 className={classes.title}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}
