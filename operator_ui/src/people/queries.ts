/** People, sessions and tokens: what the pages ask the server and tell it. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body, done } from "@/api/client";
import type { components } from "@/api/schema";

type Schemas = components["schemas"];
export type Role = Schemas["Role"];
export type User = Schemas["User"];
export type Token = Schemas["Token"];
export type OpenSession = Schemas["OpenSession"];
export type NewToken = Schemas["NewToken"];
export type NewUser = Schemas["NewUser"];
export type UserChange = Schemas["UserChange"];

const LOOK_MS = 15_000;

export const PEOPLE: readonly Role[] = ["viewer", "operator", "engineer", "admin"];
export const ROLES: readonly Role[] = ["robot", "learner", ...PEOPLE];

/** After a change everything that shows it is asked for again. */
function useChange<T, R>(keys: readonly string[], change: (wanted: T) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => Promise.all(keys.map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}

export function useSignIn() {
  return useChange(["session"], async (wanted: Schemas["Credentials"]) =>
    body(await api.POST("/api/sign-in", { body: wanted })),
  );
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async () => done(await api.POST("/api/logout")),
    // Nothing that this person saw is shown to the next one.
    onSuccess: () => {
      client.clear();
      window.location.assign("/");
    },
  });
}

export function useOpenSessions() {
  return useQuery({
    queryKey: ["sessions"],
    queryFn: async () => body(await api.GET("/api/sessions")).sessions,
    refetchInterval: LOOK_MS,
  });
}

export function useEndSession() {
  return useChange(["sessions"], async (id: string) =>
    done(await api.DELETE("/api/sessions/{session_id}", { params: { path: { session_id: id } } })),
  );
}

export function useNewPassword() {
  return useChange(["sessions", "users"], async (wanted: Schemas["NewPassword"]) =>
    done(await api.PUT("/api/me/password", { body: wanted })),
  );
}

export function useUsers() {
  return useQuery({
    queryKey: ["users"],
    queryFn: async () => body(await api.GET("/api/users")).users,
  });
}

export function useAddUser() {
  return useChange(["users"], async (wanted: NewUser) =>
    body(await api.POST("/api/users", { body: wanted })),
  );
}

export function useChangeUser() {
  return useChange(
    ["users", "session"],
    async ({ name, ...wanted }: { name: string } & UserChange) =>
      body(await api.PATCH("/api/users/{name}", { params: { path: { name } }, body: wanted })),
  );
}

export function useRemoveUser() {
  return useChange(["users"], async (name: string) =>
    done(await api.DELETE("/api/users/{name}", { params: { path: { name } } })),
  );
}

export function useUserLink() {
  return useMutation({
    mutationFn: async (name: string) => {
      const path = "/api/users/{name}/login-links";
      return body(await api.POST(path, { params: { path: { name } } })).url;
    },
  });
}

export function useResetPassword() {
  return useChange(["users", "session"], async (name: string) => {
    const path = "/api/users/{name}/password-resets";
    return body(await api.POST(path, { params: { path: { name } } })).url;
  });
}

export function useTokens() {
  return useQuery({
    queryKey: ["tokens"],
    queryFn: async () => body(await api.GET("/api/tokens")).tokens,
    refetchInterval: LOOK_MS,
  });
}

export function useMakeToken() {
  return useChange(["tokens"], async (wanted: NewToken) =>
    body(await api.POST("/api/tokens", { body: wanted })),
  );
}

export function useRevokeToken() {
  return useChange(["tokens"], async (id: string) =>
    done(await api.DELETE("/api/tokens/{token_id}", { params: { path: { token_id: id } } })),
  );
}
