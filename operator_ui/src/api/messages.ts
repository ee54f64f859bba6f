// The live messages by their names, as generated from the server's schema.
import type { components } from "@/api/schema";

type Schemas = components["schemas"];

export type ClientMessage = Schemas["ClientMessage"];
export type ClientUpdate = Schemas["ClientUpdate"];
export type CommandResult = Schemas["CommandResult"];
export type Drive = Schemas["Drive"];
export type DriveFrame = Schemas["DriveFrame"];
export type EpisodeStage = Schemas["EpisodeStage"];
export type InterventionTrained = Schemas["InterventionTrained"];
export type InterventionUse = Schemas["InterventionUse"];
export type LimitProfileStatus = Schemas["LimitProfileStatus"];
export type Mode = Schemas["Mode"];
export type Outcome = Schemas["Outcome"];
export type Phase = Schemas["Phase"];
export type PolicyVersion = Schemas["PolicyVersion"];
export type Purpose = Schemas["Purpose"];
export type RobotPresence = Schemas["RobotPresence"];
export type Source = Schemas["Source"];
export type StopProgress = Schemas["StopProgress"];
export type Telemetry = Schemas["Telemetry"];
export type TrainingStatus = Schemas["TrainingStatus"];

/** What the robot answers with a CommandResult: everything but the 50 Hz stream and lock-step turns. */
export type Request = Exclude<ClientMessage, { kind: "drive" } | { kind: "ready" }>;
export type Command = Request["kind"];

// Omit over a union keeps only what all members share; this keeps each member's own fields.
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** A request as a page asks for it: the connection adds its id and the newest robot time. */
export type Wish = Without<Request, "request_id" | "echo_t_ns">;
