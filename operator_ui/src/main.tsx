import "@mantine/core/styles.css";
import "@/app/colors.css";
import "@/app/language";
import { MantineProvider } from "@mantine/core";
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ServerError } from "@/api/client";
import { router } from "@/app/routes";
import { theme, variables } from "@/app/theme";
import { ConnectionsProvider } from "@/live/robots";

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    // A session that has ended shows the sign-in page, not the last numbers it saw.
    onError: (error) => {
      if (error instanceof ServerError && error.status === 401) {
        queries.setQueryData(["session"], null);
      }
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // What the server has refused it refuses again; only silence is worth another try.
      retry: (count, error) => !(error instanceof ServerError && error.status < 500) && count < 2,
    },
  },
});

const place = document.getElementById("root");
if (!place) throw new Error("index.html has no #root");
createRoot(place).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="dark" cssVariablesResolver={variables}>
      <QueryClientProvider client={queries}>
        <ConnectionsProvider>
          <RouterProvider router={router} />
        </ConnectionsProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
