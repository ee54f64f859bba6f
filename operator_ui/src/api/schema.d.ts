export interface paths {
    "/api/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get Audit */
        get: operations["get_audit_api_audit_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/audit/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Export
         * @description All of it, oldest first. That it was exported is in it, too.
         */
        get: operations["get_export_api_audit_export_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/episodes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Episodes
         * @description A page of the table, with the counts of everything that the filter finds.
         */
        get: operations["get_episodes_api_episodes_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/episodes/{episode_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Episode
         * @description One episode with its interventions, events, labels and annotations.
         */
        get: operations["get_episode_api_episodes__episode_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/episodes/{episode_id}/annotations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Annotation
         * @description Says something about a range of steps.
         */
        post: operations["post_annotation_api_episodes__episode_id__annotations_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/episodes/{episode_id}/exclusions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Exclusion
         * @description Takes an episode out of training, or back in; nothing is deleted.
         */
        post: operations["post_exclusion_api_episodes__episode_id__exclusions_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/episodes/{episode_id}/frames/{camera}/{index}.jpg": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Frame
         * @description One image as it was recorded; it never changes.
         */
        get: operations["get_frame_api_episodes__episode_id__frames__camera___index__jpg_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/episodes/{episode_id}/interventions/{intervention_id}/decisions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Decision
         * @description Says what a takeover is for training; the learner gets it. Earlier decisions stay.
         */
        post: operations["post_decision_api_episodes__episode_id__interventions__intervention_id__decisions_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/episodes/{episode_id}/labels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Label
         * @description Relabels an episode; the learner gets it. Earlier labels stay.
         */
        post: operations["post_label_api_episodes__episode_id__labels_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/episodes/{episode_id}/steps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Steps
         * @description All steps without images, and the rewards derived for display.
         */
        get: operations["get_steps_api_episodes__episode_id__steps_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/feed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Feed
         * @description The task's events after number `after`, in order; waits up to `wait_s` for the first one.
         */
        get: operations["get_feed_api_feed_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Health
         * @description Answers as soon as the server takes requests; needs no sign-in.
         */
        get: operations["get_health_api_health_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Ready
         * @description As `/api/health`, but 503 while the database is away: for load balancers.
         */
        get: operations["get_ready_api_health_ready_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ingest": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Batch
         * @description Stores a batch, then acknowledges it.
         *
         *     409: not the next sequence; 422: it will never be stored, and where one item is at fault the
         *     answer is an `ItemRefused`; 426: another protocol.
         */
        post: operations["post_batch_api_ingest_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ingest/cursor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Cursor
         * @description Up to where an outbox is stored: where a robot goes on after it was away.
         */
        get: operations["get_cursor_api_ingest_cursor_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ingest/cursors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Cursors
         * @description Which server this is, and up to where it has each of the named epochs of a robot.
         */
        post: operations["post_cursors_api_ingest_cursors_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ingest/lost": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Lost
         * @description Notes rows that a restored server lacks and the robot cannot send again.
         */
        post: operations["post_lost_api_ingest_lost_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learner/progress": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Progress
         * @description About once a second; in lock-step after every step, which robots wait for.
         */
        post: operations["post_progress_api_learner_progress_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learner/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Status
         * @description Progress and newest versions, as the live page shows them.
         */
        get: operations["get_status_api_learner_status_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/login-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Login Link
         * @description A new link for the caller's own name and role, to sign in with another browser.
         */
        post: operations["post_login_link_api_login_links_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Logout
         * @description Ends the browser's session at once, and closes its live connections.
         */
        post: operations["post_logout_api_logout_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Me
         * @description 401 when nobody is signed in.
         */
        get: operations["get_me_api_me_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/me/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Put Password
         * @description Ends the caller's other sessions. 403 when the current password is another.
         */
        put: operations["put_password_api_me_password_put"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Metrics
         * @description Success, help and time of the (newest) episodes found, in all and by version.
         */
        get: operations["get_metrics_api_metrics_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/policies": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get Policies */
        get: operations["get_policies_api_policies_get"];
        put?: never;
        /**
         * Post Policy
         * @description Numbers a policy whose files are here, and tells the robots of its task.
         */
        post: operations["post_policy_api_policies_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/policies/parts/lacking": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Lacking
         * @description Which of a publisher's files are not here, and how much of each is.
         */
        post: operations["post_lacking_api_policies_parts_lacking_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/policies/parts/{sha256}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Part
         * @description A file of a part by its hash; all of it, or `Range: bytes=N-` what follows N bytes.
         */
        get: operations["get_part_api_policies_parts__sha256__get"];
        /**
         * Put Part
         * @description Takes a piece of a file, of `size_bytes` in all; the answer says where the next begins.
         */
        put: operations["put_part_api_policies_parts__sha256__put"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/policies/{task}/pin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete Pin
         * @description Lets the task's robots follow the newest version again.
         */
        delete: operations["delete_pin_api_policies__task__pin_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/policies/{task}/wanted": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Wanted
         * @description The version that robots of the task should run: the pinned one, else the newest.
         */
        get: operations["get_wanted_api_policies__task__wanted_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/policies/{task}/{version}/pin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Pin
         * @description Holds the task's robots at this version until the pin is taken off.
         */
        post: operations["post_pin_api_policies__task___version__pin_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/policies/{task}/{version}/reject": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Reject
         * @description Takes a version out of what robots are offered.
         */
        post: operations["post_reject_api_policies__task___version__reject_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/robots": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Robots
         * @description Robots that have connected since the server started, and whether they are there now; for a
         *     token of one task that task's.
         */
        get: operations["get_robots_api_robots_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/segments/{segment_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Segment
         * @description The Arrow IPC file of a segment, images inside.
         */
        get: operations["get_segment_api_segments__segment_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Sessions
         * @description Browsers that are signed in as the caller.
         */
        get: operations["get_sessions_api_sessions_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete Session
         * @description Signs a browser out; an admin anybody's.
         */
        delete: operations["delete_session_api_sessions__session_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sign-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Sign In
         * @description Opens a session for a name and a password. 429 after too many that were wrong.
         */
        post: operations["post_sign_in_api_sign_in_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get Tokens */
        get: operations["get_tokens_api_tokens_get"];
        put?: never;
        /**
         * Post Token
         * @description The secret is in this answer and nowhere else.
         */
        post: operations["post_token_api_tokens_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tokens/{token_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete Token
         * @description Whoever uses it is refused at once, and so is what was signed in with it.
         */
        delete: operations["delete_token_api_tokens__token_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/training": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Training
         * @description Versions with their losses, and how long each correction took to act.
         */
        get: operations["get_training_api_training_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get Users */
        get: operations["get_users_api_users_get"];
        put?: never;
        /**
         * Post User
         * @description 409: there is one of this name.
         */
        post: operations["post_user_api_users_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete User
         * @description Ends the person's sessions; what they said stays. 409: the last admin.
         */
        delete: operations["delete_user_api_users__name__delete"];
        options?: never;
        head?: never;
        /**
         * Patch User
         * @description A new role holds at once; a new password ends the person's sessions. 409: the last admin.
         */
        patch: operations["patch_user_api_users__name__patch"];
        trace?: never;
    };
    "/api/users/{name}/login-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Link
         * @description A link to hand over: it signs one browser in as that person, once.
         */
        post: operations["post_link_api_users__name__login_links_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{name}/password-resets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Post Reset
         * @description For who has forgotten it: the password is gone, the sessions end, and the link lets the
         *     person choose a new one.
         */
        post: operations["post_reset_api_users__name__password_resets_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AcquireLease
         * @description Granted at once when it is free. Otherwise its holder is asked, and the answer is a refusal
         *     that says so; a second answer to the same request follows when the matter is decided.
         *
         *     An engineer may take it without asking, and gives the reason, which is recorded.
         */
        AcquireLease: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "acquire_lease";
            /** @default  */
            preempt: components["schemas"]["Name"];
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        Action: number[];
        /** ActivationRow */
        ActivationRow: {
            /** T Robot Ns */
            t_robot_ns: number;
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
            /** Version */
            version: number;
        };
        /**
         * AnnotationRow
         * @description `replaces`: the annotation that this one is an edit of; `withdrawn`: takes that one back.
         *     `shows_success`: what its frames are to a success classifier; None: nothing is said of that.
         */
        AnnotationRow: {
            /**
             * Annotation Id
             * Format: uuid
             */
            annotation_id: string;
            /** Author */
            author: string;
            /** Failure Class */
            failure_class: string | null;
            /** First Index */
            first_index: number;
            /** Last Index */
            last_index: number;
            /** Replaces */
            replaces: string | null;
            /** Shows Success */
            shows_success: boolean | null;
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
            /** Text */
            text: string;
            /** Withdrawn */
            withdrawn: boolean;
        };
        /**
         * AnswerLease
         * @description The holder's answer to somebody who asks for the lease (LeaseStatus.asked_by).
         */
        AnswerLease: {
            /** Consent */
            consent: boolean;
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "answer_lease";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /**
         * ArmObservation
         * @description One arm's part of the named state vector, measured at the step's time. `state_names` gives
         *     the order used by policies.
         */
        ArmObservation: {
            dq_rad_s: components["schemas"]["Joints"];
            /** Gripper M */
            gripper_m: number;
            q_rad: components["schemas"]["Joints"];
            /** Sensors */
            sensors?: {
                [key: string]: number;
            };
            tcp_position_m: components["schemas"]["Vector3"];
            tcp_quaternion_wxyz: components["schemas"]["Quaternion"];
            tcp_twist: components["schemas"]["Vector6"];
            wrench: components["schemas"]["Vector6"];
        };
        /**
         * ArmTelemetry
         * @description One arm as measured; positions in its base frame.
         */
        ArmTelemetry: {
            /** Force Limit N */
            force_limit_n: number;
            /** Force N */
            force_n: number;
            /** Gripper M */
            gripper_m: number;
            reference_position_m: components["schemas"]["Vector3"];
            tcp_position_m: components["schemas"]["Vector3"];
            tcp_quaternion_wxyz: components["schemas"]["Quaternion"];
            tcp_twist: components["schemas"]["Vector6"];
            /**
             * Torque Limit Nm
             * @default 0
             */
            torque_limit_nm: number;
            /**
             * Torque Nm
             * @default 0
             */
            torque_nm: number;
            wrench: components["schemas"]["Vector6"];
        };
        /** AuditEntry */
        AuditEntry: {
            /** Action */
            action: string;
            /** Actor */
            actor: string;
            /** Detail */
            detail: {
                [key: string]: string;
            };
            /**
             * Entry Id
             * Format: uuid
             */
            entry_id: string;
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
            /** Target */
            target: string;
        };
        /**
         * AuditFormat
         * @description A table for spreadsheets, or a JSON object a line.
         * @enum {string}
         */
        AuditFormat: "csv" | "jsonl";
        /**
         * AuditPage
         * @description Newest first.
         */
        AuditPage: {
            /** Entries */
            entries: components["schemas"]["AuditEntry"][];
        };
        /**
         * BatchAck
         * @description Everything up to `last_sequence` is stored for good; the robot may delete it.
         */
        BatchAck: {
            /**
             * Boot Epoch
             * Format: uuid
             */
            boot_epoch: string;
            last_sequence: components["schemas"]["Count"];
        };
        /** BeginReset */
        BeginReset: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "begin_reset";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
            /** @default null */
            seed: components["schemas"]["Seed"] | null;
        };
        CameraName: string;
        /**
         * ClassifierAgreement
         * @description Over the newest episodes that a classifier judged and that a person labelled a success or a
         *     failure (in simulation: the simulator). `warning`: one sentence; empty where there is none.
         */
        ClassifierAgreement: {
            /** Agreed */
            agreed: number;
            /** Episodes */
            episodes: number;
            /** False Successes */
            false_successes: number;
            /** High */
            high: number;
            /** Low */
            low: number;
            /** Missed */
            missed: number;
            /** Value */
            value: number | null;
            /** Warning */
            warning: string;
        };
        /**
         * Clear
         * @description Clear a latched stop or fault; refused while the cause persists; never starts motion.
         */
        Clear: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "clear";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        ClientMessage: components["schemas"]["Drive"] | components["schemas"]["Ready"] | components["schemas"]["AcquireLease"] | components["schemas"]["AnswerLease"] | components["schemas"]["ReleaseLease"] | components["schemas"]["Takeover"] | components["schemas"]["EndTakeover"] | components["schemas"]["MarkPhase"] | components["schemas"]["StartEpisode"] | components["schemas"]["Pause"] | components["schemas"]["Resume"] | components["schemas"]["Rewind"] | components["schemas"]["Label"] | components["schemas"]["BeginReset"] | components["schemas"]["ConfirmReset"] | components["schemas"]["Stop"] | components["schemas"]["Clear"] | components["schemas"]["SetLimitProfile"] | components["schemas"]["JoinLockstep"] | components["schemas"]["LeaveLockstep"];
        ClientUpdate: components["schemas"]["ClientWelcome"] | components["schemas"]["RobotPresence"] | components["schemas"]["Telemetry"] | components["schemas"]["RobotTime"] | components["schemas"]["CommandResult"] | components["schemas"]["StopProgress"] | components["schemas"]["SimulatorTruth"] | components["schemas"]["LockstepTurn"] | components["schemas"]["TrainingStatus"] | components["schemas"]["InterventionTrained"] | components["schemas"]["Problem"];
        /** ClientWelcome */
        ClientWelcome: {
            /**
             * Client Id
             * Format: uuid
             */
            client_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "client_welcome";
            /**
             * Protocol
             * @default 7
             */
            protocol: number;
            /** User */
            user: string;
        };
        /**
         * CommandResult
         * @description The robot's answer to a request; `reason` is one plain sentence when it was refused.
         */
        CommandResult: {
            /** Accepted */
            accepted: boolean;
            /**
             * Client Id
             * Format: uuid
             */
            client_id: string;
            /** Command */
            command: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "command_result";
            /** Reason */
            reason: string;
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
            /** T Ns */
            t_ns: number;
        };
        /** ConfirmReset */
        ConfirmReset: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "confirm_reset";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        Count: number;
        Counter: number;
        /**
         * Credentials
         * @description What a person types.
         */
        Credentials: {
            name: components["schemas"]["Name"];
            password: components["schemas"]["Password"];
        };
        /**
         * CursorsAsked
         * @description What a robot asks before it sends: does the server still have what it acknowledged?
         */
        CursorsAsked: {
            /** Boot Epochs */
            boot_epochs: string[];
            robot: components["schemas"]["Name"];
        };
        /**
         * DataIdentity
         * @description Name of a fact → its value as text: "step_s" → "0.1". Numbers have one way of writing.
         */
        DataIdentity: {
            /** Facts */
            facts: {
                [key: string]: components["schemas"]["Text"];
            };
        };
        /**
         * DecisionRow
         * @description `by_default`: the person's console said it, by what that person chose before.
         */
        DecisionRow: {
            /** Author */
            author: string;
            /** By Default */
            by_default: boolean;
            /**
             * Decision Id
             * Format: uuid
             */
            decision_id: string;
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
            use: components["schemas"]["InterventionUse"];
        };
        /**
         * Drive
         * @description 50 Hz while a person drives. Axes in −1 … 1; without the dead-man bit an explicit zero.
         */
        Drive: {
            /** @default null */
            arm: components["schemas"]["Name"] | null;
            /** Axes */
            axes: number[];
            /** Deadman */
            deadman: boolean;
            /** @default keyboard */
            device: components["schemas"]["Name"];
            echo_t_ns: components["schemas"]["Counter"];
            /** @default base */
            frame: components["schemas"]["DriveFrame"];
            /**
             * Gripper
             * @default 0
             * @enum {integer}
             */
            gripper: -1 | 0 | 1;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "drive";
            lease_epoch: components["schemas"]["Counter"];
            sequence: components["schemas"]["Counter"];
            /**
             * Speed Scale
             * @default 1
             */
            speed_scale: number;
        };
        /**
         * DriveFrame
         * @description Axes in which the person pushes.
         * @enum {string}
         */
        DriveFrame: "base" | "tool";
        /**
         * EndTakeover
         * @description Give the robot back; what follows is the task's `post_intervention` rule.
         */
        EndTakeover: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "end_takeover";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /**
         * EpisodeCounts
         * @description Of all that the filter finds.
         */
        EpisodeCounts: {
            /** Aborted */
            aborted: number;
            /** Failure */
            failure: number;
            /** Success */
            success: number;
            /** Total */
            total: number;
            /** Unlabelled */
            unlabelled: number;
            /** With Interventions */
            with_interventions: number;
        };
        /**
         * EpisodeDetail
         * @description Histories are oldest first; the last label and exclusion are the ones that count.
         */
        EpisodeDetail: {
            /** Activations */
            activations: components["schemas"]["ActivationRow"][];
            /** Annotations */
            annotations: components["schemas"]["AnnotationRow"][];
            /** Ended T Robot Ns */
            ended_t_robot_ns: number | null;
            episode: components["schemas"]["EpisodeRow"];
            /** Exclusions */
            exclusions: components["schemas"]["ExclusionRow"][];
            /** Handovers */
            handovers: components["schemas"]["HandoverRow"][];
            /** Interventions */
            interventions: components["schemas"]["InterventionRow"][];
            /** Labels */
            labels: components["schemas"]["LabelRow"][];
            provenance: components["schemas"]["Provenance"];
            /** Safety Events */
            safety_events: components["schemas"]["SafetyEventRow"][];
            /** Started T Robot Ns */
            started_t_robot_ns: number;
        };
        /**
         * EpisodeEnded
         * @description `steps` counts actions: the episode has steps + 1 records, unless it was cut off (`complete`
         *     false). `classifier_success`: what the success classifier made of its images, whoever labelled.
         */
        EpisodeEnded: {
            cause: components["schemas"]["Text"];
            /** Classifier Success */
            classifier_success?: boolean | null;
            /**
             * Complete
             * @default true
             */
            complete: boolean;
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            failure_class?: components["schemas"]["Name"] | null;
            human_steps: components["schemas"]["Count"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "episode_ended";
            labeller: components["schemas"]["Name"];
            /** @default  */
            note: components["schemas"]["Text"];
            outcome: components["schemas"]["Outcome"];
            steps: components["schemas"]["Count"];
            t_robot_ns: components["schemas"]["Int64"];
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
        };
        /**
         * EpisodePage
         * @description `next` goes into `after` of the following page; None on the last one.
         */
        EpisodePage: {
            counts: components["schemas"]["EpisodeCounts"];
            /** Episodes */
            episodes: components["schemas"]["EpisodeRow"][];
            /** Next */
            next: string | null;
        };
        /**
         * EpisodeRow
         * @description One line of the table. `steps` counts actions; None while the episode runs.
         */
        EpisodeRow: {
            /** Cameras */
            cameras: string[];
            /** Cause */
            cause: string | null;
            /** Classifier Success */
            classifier_success: boolean | null;
            /** Complete */
            complete: boolean | null;
            /** Ended T Robot Ns */
            ended_t_robot_ns: number | null;
            /** Ended T Utc */
            ended_t_utc: string | null;
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            /** Excluded */
            excluded: boolean;
            /** Failure Class */
            failure_class: string | null;
            /** Human Steps */
            human_steps: number;
            /** Instruction */
            instruction: string;
            /** Interventions */
            interventions: number;
            /** Labeller */
            labeller: string | null;
            /**
             * Limit Profiles
             * @default []
             */
            limit_profiles: string[];
            /** Note */
            note: string;
            /** Operator */
            operator: string | null;
            outcome: components["schemas"]["Outcome"] | null;
            /** Policy Version */
            policy_version: number | null;
            /** Policy Versions */
            policy_versions: number[];
            purpose: components["schemas"]["Purpose"];
            /** Risk Max */
            risk_max: number | null;
            /** Robot */
            robot: string;
            /**
             * Run Id
             * Format: uuid
             */
            run_id: string;
            /** Seed */
            seed: number;
            /** Started T Robot Ns */
            started_t_robot_ns: number;
            /**
             * Started T Utc
             * Format: date-time
             */
            started_t_utc: string;
            /** Step S */
            step_s: number;
            /** Steps */
            steps: number | null;
            /** Stored Steps */
            stored_steps: number;
            /** Task */
            task: string;
            /** Trainable Steps */
            trainable_steps: number;
        };
        /**
         * EpisodeStage
         * @description The pure machine in the actor.
         * @enum {string}
         */
        EpisodeStage: "ready" | "running" | "await_label" | "resetting" | "confirm_reset";
        /** EpisodeStarted */
        EpisodeStarted: {
            /** Cameras */
            cameras: components["schemas"]["CameraName"][];
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            instruction: components["schemas"]["Text"];
            joints: components["schemas"]["Count"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "episode_started";
            operator: components["schemas"]["Name"] | null;
            provenance: components["schemas"]["Provenance"];
            purpose: components["schemas"]["Purpose"];
            robot: components["schemas"]["Name"];
            /**
             * Run Id
             * Format: uuid
             */
            run_id: string;
            seed: components["schemas"]["Int64"];
            /** Step S */
            step_s: number;
            t_robot_ns: components["schemas"]["Int64"];
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
            task: components["schemas"]["Name"];
        };
        /** EpisodeStatus */
        EpisodeStatus: {
            /** Elapsed S */
            elapsed_s: number;
            /** Episode Id */
            episode_id: string | null;
            /** Human Steps */
            human_steps: number;
            /** Instructions */
            instructions: string;
            /** Interventions */
            interventions: number;
            /** Max Steps */
            max_steps: number;
            /** Number */
            number: number;
            purpose: components["schemas"]["Purpose"];
            /** Seed */
            seed: number;
            stage: components["schemas"]["EpisodeStage"];
            /**
             * Start Refusal
             * @default
             */
            start_refusal: string;
            /** Step */
            step: number;
            /** Success Seen */
            success_seen: boolean;
        };
        /**
         * EpisodeSteps
         * @description Consecutive steps without images; `rewards` beside them, as derived for display.
         *
         *     `action_names`: of the columns of an action; none while no step with an action is stored.
         */
        EpisodeSteps: {
            /** Action Names */
            action_names: string[];
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            /** Rewards */
            rewards: (number | null)[];
            /** Steps */
            steps: components["schemas"]["Step"][];
        };
        /**
         * Excluded
         * @description `excluded` false takes an earlier exclusion back.
         */
        Excluded: {
            /** Author */
            author: string;
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            /** Excluded */
            excluded: boolean;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "excluded";
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
        };
        /** ExclusionRow */
        ExclusionRow: {
            /** Author */
            author: string;
            /** Excluded */
            excluded: boolean;
            /**
             * Exclusion Id
             * Format: uuid
             */
            exclusion_id: string;
            /** Reason */
            reason: string;
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
        };
        /**
         * FaultCode
         * @description Stable name of each row of the fault table (docs/safety.md).
         * @enum {string}
         */
        FaultCode: "operator_lost" | "operator_half_open" | "page_frozen" | "two_takeovers" | "old_epoch" | "learner_lost" | "actor_lost" | "inference_slow" | "action_invalid" | "target_jump" | "target_outside" | "critic_invalid" | "limiter_failed" | "control_lost" | "control_frozen" | "software_stop" | "cleared_early" | "arm_stopped" | "camera_lost" | "camera_repeats" | "device_lost" | "wall_clock_jump" | "disk_full" | "power_cut" | "network_cut" | "arm_silent" | "arm_unusable" | "control_silent" | "latch_unreadable";
        FeedEvent: components["schemas"]["SegmentStored"] | components["schemas"]["EpisodeStarted"] | components["schemas"]["EpisodeEnded"] | components["schemas"]["InterventionEnded"] | components["schemas"]["InterventionDecided"] | components["schemas"]["Relabelled"] | components["schemas"]["Excluded"] | components["schemas"]["IdentityAdmitted"];
        /**
         * FeedItem
         * @description `number` is assigned in commit order: a reader that has seen n never misses a smaller one
         *     later.
         */
        FeedItem: {
            event: components["schemas"]["FeedEvent"];
            /** Number */
            number: number;
        };
        /**
         * FeedPage
         * @description `GET /api/feed?task=T&after=N&wait_s=S`: items in order; empty when nothing came within S
         *     seconds.
         */
        FeedPage: {
            /** Cursor */
            cursor: number;
            /** Items */
            items: components["schemas"]["FeedItem"][];
        };
        /**
         * Figures
         * @description Definitions: robot_rl/evaluation/metrics.py.
         */
        Figures: {
            assisted_success: components["schemas"]["Share"];
            autonomous_success: components["schemas"]["Share"];
            /** Episodes */
            episodes: number;
            /** Human Minutes Per Autonomous Success */
            human_minutes_per_autonomous_success: number | null;
            /** Human S */
            human_s: number;
            /** Intervention Rate */
            intervention_rate: number | null;
            /** Longest Streak */
            longest_streak: number;
            /** Mean Time Between Interventions S */
            mean_time_between_interventions_s: number | null;
            /** Robot S */
            robot_s: number;
            /** Takeovers Per Episode */
            takeovers_per_episode: number | null;
        };
        FileName: string;
        /**
         * FirstSampled
         * @description Steps of one episode that a person drove, and when each was in a batch for the first time.
         *
         *     The time is of the learner's clock.
         */
        FirstSampled: {
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            /** Indices */
            indices: number[];
            /** T Utc */
            t_utc: string[];
        };
        /**
         * FrameStamp
         * @description When a camera image of this step was captured. The JPEG itself travels in the segment's
         *     column.
         */
        FrameStamp: {
            capture_ns: components["schemas"]["Int64"];
            number: components["schemas"]["Int64"];
        };
        /** HandoverRow */
        HandoverRow: {
            after: components["schemas"]["Source"];
            arm: components["schemas"]["Name"];
            before: components["schemas"]["Source"];
            /** Force Before N */
            force_before_n: number;
            /** Force N */
            force_n: number;
            /**
             * Handover Id
             * Format: uuid
             */
            handover_id: string;
            /** Jerk M S3 */
            jerk_m_s3: number;
            /** Jump M */
            jump_m: number;
            /** Jump Rad */
            jump_rad: number;
            /** T Robot Ns */
            t_robot_ns: number;
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
            /** Torque Step Nm Ms */
            torque_step_nm_ms: number;
        };
        /**
         * Health
         * @description live: the server takes requests, and robots can be stopped. ready: its database answers.
         *     problem: one sentence; empty when it is ready. What Postgres says, which names hosts and
         *     databases, is for engineers.
         */
        Health: {
            /**
             * Live
             * @default true
             */
            live: boolean;
            /** Problem */
            problem: string;
            /** Protocol */
            protocol: number;
            /** Ready */
            ready: boolean;
        };
        /**
         * IdentityAdmitted
         * @description An engineer took data of another identity in (Provenance.data_sha256).
         *
         *     What the feed said about its episodes follows once more.
         */
        IdentityAdmitted: {
            /** Author */
            author: string;
            /** Identity Sha256 */
            identity_sha256: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "identity_admitted";
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
            /** Task */
            task: string;
        };
        Int64: number;
        /**
         * InterventionDecided
         * @description A person said what a takeover is for training; the newest counts. Comes after its
         *     InterventionEnded, also when the person was faster than the robot's record.
         */
        InterventionDecided: {
            /** Author */
            author: string;
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            /**
             * Intervention Id
             * Format: uuid
             */
            intervention_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "intervention_decided";
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
            use: components["schemas"]["InterventionUse"];
        };
        /** InterventionEnded */
        InterventionEnded: {
            correction_steps: components["schemas"]["Count"];
            device: components["schemas"]["Name"];
            ended_t_robot_ns: components["schemas"]["Int64"];
            /**
             * Ended T Utc
             * Format: date-time
             */
            ended_t_utc: string;
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            first_index: components["schemas"]["Count"];
            /**
             * Intervention Id
             * Format: uuid
             */
            intervention_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "intervention_ended";
            last_index: components["schemas"]["Count"];
            operator: components["schemas"]["Name"];
            reason: components["schemas"]["Text"];
            /**
             * Started T Utc
             * Format: date-time
             */
            started_t_utc: string;
        };
        /**
         * InterventionRow
         * @description `trained_version`: the first that learned from it; `acting_version`: the first to act.
         *
         *     `use`: what it is for training now; `decisions`: what people said, oldest first.
         */
        InterventionRow: {
            /** Acting Version */
            acting_version: number | null;
            /** Correction Steps */
            correction_steps: number;
            /** Decisions */
            decisions: components["schemas"]["DecisionRow"][];
            /** Device */
            device: string;
            /**
             * Ended T Utc
             * Format: date-time
             */
            ended_t_utc: string;
            /** First Index */
            first_index: number;
            /**
             * Intervention Id
             * Format: uuid
             */
            intervention_id: string;
            /** Last Index */
            last_index: number;
            /** Latency S */
            latency_s: number | null;
            /** Operator */
            operator: string;
            /** Reason */
            reason: string;
            /**
             * Started T Utc
             * Format: date-time
             */
            started_t_utc: string;
            /** Trained Version */
            trained_version: number | null;
            use: components["schemas"]["InterventionUse"];
        };
        /**
         * InterventionTrained
         * @description Sent when a version that contains an intervention first acts ("in policy 37, 1.8 s after you
         *     let go").
         */
        InterventionTrained: {
            /** Acting T Ns */
            acting_t_ns: number;
            /**
             * Intervention Id
             * Format: uuid
             */
            intervention_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "intervention_trained";
            /** Latency S */
            latency_s: number;
            /** Operator */
            operator: string;
            /** Released T Ns */
            released_t_ns: number;
            /** Version */
            version: number;
        };
        /**
         * InterventionUse
         * @description The values are recorded and sent: never change one.
         * @enum {string}
         */
        InterventionUse: "correction" | "recovery" | "discard";
        /**
         * JoinLockstep
         * @description Simulation in lock-step: virtual time waits for this client's `Ready` from now on.
         */
        JoinLockstep: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "join_lockstep";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        Joints: number[];
        /**
         * Label
         * @description Ends a running episode with this outcome, or labels the one that waits for a label.
         */
        Label: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /** @default null */
            failure_class: components["schemas"]["Name"] | null;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "label";
            /** @default  */
            note: components["schemas"]["Text"];
            outcome: components["schemas"]["Outcome"];
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /** LabelRow */
        LabelRow: {
            /** Author */
            author: string;
            /** Failure Class */
            failure_class: string | null;
            /**
             * Label Id
             * Format: uuid
             */
            label_id: string;
            /** Note */
            note: string;
            outcome: components["schemas"]["Outcome"];
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
        };
        /**
         * LearnerProgress
         * @description `POST /api/learner/progress`, about once a second, and per step in lock-step.
         */
        LearnerProgress: {
            /** Demonstration Steps */
            demonstration_steps: number;
            /**
             * Encoder Updates
             * @default 0
             */
            encoder_updates: number;
            /** Env Steps */
            env_steps: number;
            /** Feed Cursor */
            feed_cursor: number;
            /** Learner Step */
            learner_step: number;
            /** Losses */
            losses: {
                [key: string]: number;
            };
            /** @default  */
            message: components["schemas"]["Text"];
            /**
             * Offline
             * @default false
             */
            offline: boolean;
            /** Paused */
            paused: boolean;
            /** Replay Steps */
            replay_steps: number;
            /** Steps Per S */
            steps_per_s: number;
            task: components["schemas"]["Name"];
            /** Version */
            version: number | null;
        };
        /** LeaseStatus */
        LeaseStatus: {
            /**
             * Asked By
             * @default null
             */
            asked_by: string | null;
            /**
             * Asked Client Id
             * @default null
             */
            asked_client_id: string | null;
            /**
             * Asked S
             * @default null
             */
            asked_s: number | null;
            /** Client Id */
            client_id: string | null;
            /** Epoch */
            epoch: number;
            /** Holder */
            holder: string | null;
            /** Since S */
            since_s: number;
            /** Suspended */
            suspended: boolean;
        };
        /** LeaveLockstep */
        LeaveLockstep: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "leave_lockstep";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /**
         * LimitProfileStatus
         * @description A limit profile of the cell: its button, and what it makes of the task's limits.
         */
        LimitProfileStatus: {
            /** Active */
            active: boolean;
            /** Chosen By */
            chosen_by: ("task" | "instruction") | null;
            /** Force N */
            force_n: number | null;
            /** Name */
            name: string;
            /** Speed M S */
            speed_m_s: number | null;
            /** Text */
            text: string;
        };
        /**
         * LockstepTurn
         * @description Lock-step only: the robot waits at `t_ns` for the clients that joined lock-step to answer.
         */
        LockstepTurn: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "lockstep_turn";
            /** T Ns */
            t_ns: number;
        };
        /**
         * LoginUrl
         * @description Signs a browser in, once, within 15 minutes.
         */
        LoginUrl: {
            /** Url */
            url: string;
        };
        /**
         * LoopStatus
         * @description Control loop, last window. Times in µs; p999: 99.9 %. latency: from the deadline of a tick to
         *     its end. missed_ticks: since control started.
         */
        LoopStatus: {
            /** Latency Max Us */
            latency_max_us: number;
            /** Latency P50 Us */
            latency_p50_us: number;
            /** Latency P999 Us */
            latency_p999_us: number;
            /** Latency P99 Us */
            latency_p99_us: number;
            /** Missed Ticks */
            missed_ticks: number;
            /** Period Max Us */
            period_max_us: number;
            /** Period P50 Us */
            period_p50_us: number;
            /** Period P999 Us */
            period_p999_us: number;
            /** Period P99 Us */
            period_p99_us: number;
            /** Real Time Factor */
            real_time_factor: number;
        };
        /**
         * MadeToken
         * @description The only time that the secret is shown.
         */
        MadeToken: {
            /** Secret */
            secret: string;
            token: components["schemas"]["Token"];
        };
        /** MarkPhase */
        MarkPhase: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "mark_phase";
            phase: components["schemas"]["Phase"];
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /**
         * Me
         * @description Who the caller is. Only an account has a password, and sessions of its own.
         */
        Me: {
            /** Account */
            account: boolean;
            /** Name */
            name: string;
            /** Role */
            role: string;
        };
        /**
         * MetricsSummary
         * @description `versions`: the newest first; `next_below` goes into `below` of the page of older ones.
         *     `classifier`: how well it agrees with people, over the newest episodes. `risk`: what the risk
         *     critic held back, and what people did about it.
         */
        MetricsSummary: {
            all: components["schemas"]["Figures"];
            classifier: components["schemas"]["ClassifierAgreement"];
            /** Definitions Version */
            definitions_version: number;
            /** Next Below */
            next_below: number | null;
            risk: components["schemas"]["RiskCounts"];
            /** Versions */
            versions: components["schemas"]["VersionFigures"][];
        };
        /**
         * Mode
         * @description What the robot does; `safety.modes` says how it changes.
         * @enum {string}
         */
        Mode: "idle" | "autonomous" | "takeover" | "paused" | "resetting" | "rewinding" | "stopped" | "fault";
        Name: components["schemas"]["Text"];
        /**
         * NewAnnotation
         * @description Steps `first_index` to `last_index`, both included. `shows_success`: a success classifier
         *     learns from these frames that the task is done in them, or that it is not.
         */
        NewAnnotation: {
            failure_class?: components["schemas"]["Name"] | null;
            /** First Index */
            first_index: number;
            /** Last Index */
            last_index: number;
            /** Replaces */
            replaces?: string | null;
            /** Shows Success */
            shows_success?: boolean | null;
            /** @default  */
            text: components["schemas"]["Text"];
            /**
             * Withdrawn
             * @default false
             */
            withdrawn: boolean;
        };
        /**
         * NewDecision
         * @description `decision_id` is made by the sender: sent again, the decision is stored once.
         */
        NewDecision: {
            /**
             * By Default
             * @default false
             */
            by_default: boolean;
            /**
             * Decision Id
             * Format: uuid
             */
            decision_id: string;
            use: components["schemas"]["InterventionUse"];
        };
        /**
         * NewExclusion
         * @description `excluded` False takes an earlier exclusion back.
         */
        NewExclusion: {
            /** Excluded */
            excluded: boolean;
            /** @default  */
            reason: components["schemas"]["Text"];
        };
        /** NewLabel */
        NewLabel: {
            failure_class?: components["schemas"]["Name"] | null;
            /** @default  */
            note: components["schemas"]["Text"];
            outcome: components["schemas"]["Outcome"];
        };
        /**
         * NewPassword
         * @description `current` is asked for again where there is one.
         */
        NewPassword: {
            current?: components["schemas"]["Password"] | null;
            new: components["schemas"]["Password"];
        };
        /**
         * NewToken
         * @description A robot's token has the robot's name; `task` binds a robot's or a learner's to one task.
         */
        NewToken: {
            /** Days */
            days?: number | null;
            name: components["schemas"]["Name"];
            role: components["schemas"]["Role"];
            task?: components["schemas"]["Name"] | null;
        };
        /**
         * NewUser
         * @description Without a password the person signs in by one-time links.
         */
        NewUser: {
            name: components["schemas"]["Name"];
            password?: components["schemas"]["Password"] | null;
            role: components["schemas"]["Role"];
        };
        /**
         * OpenSession
         * @description A browser that is signed in.
         */
        OpenSession: {
            /** Address */
            address: string;
            /** Browser */
            browser: string;
            /**
             * Created T Utc
             * Format: date-time
             */
            created_t_utc: string;
            /**
             * Expires T Utc
             * Format: date-time
             */
            expires_t_utc: string;
            /** Here */
            here: boolean;
            /** Last Used T Utc */
            last_used_t_utc: string | null;
            /** Name */
            name: string;
            /**
             * Session Id
             * Format: uuid
             */
            session_id: string;
        };
        /** OutboxStatus */
        OutboxStatus: {
            /** Accepting */
            accepting: boolean;
            /** Acknowledged Sequence */
            acknowledged_sequence: number;
            /** Connected */
            connected: boolean;
            /** Free Bytes */
            free_bytes: number;
            /** Last Sequence */
            last_sequence: number;
            /**
             * Lost
             * @default 0
             */
            lost: number;
            /** Pending */
            pending: number;
            /** Recorded Steps */
            recorded_steps: number;
            /**
             * Refill
             * @default 0
             */
            refill: number;
            /**
             * Set Aside
             * @default 0
             */
            set_aside: number;
        };
        /**
         * Outcome
         * @description How an episode ended.
         * @enum {string}
         */
        Outcome: "success" | "failure" | "aborted";
        /**
         * Part
         * @description Named by its content: what has this `sha256` is never sent twice.
         */
        Part: {
            /** Files */
            files: components["schemas"]["PartFile"][];
            /** Kind */
            kind: string;
            role: components["schemas"]["PartRole"];
            sha256: components["schemas"]["Sha256"];
        };
        /**
         * PartFile
         * @description One file of a part, at `name` in the folder of a version.
         */
        PartFile: {
            name: components["schemas"]["FileName"];
            sha256: components["schemas"]["Sha256"];
            /** Size Bytes */
            size_bytes: number;
        };
        /**
         * PartHeld
         * @description How much of a file the server holds; all of it when `held_bytes` is its size.
         */
        PartHeld: {
            /** Held Bytes */
            held_bytes: number;
            sha256: components["schemas"]["Sha256"];
        };
        /**
         * PartRole
         * @description What a part is for, in the order in which a policy is built from them.
         * @enum {string}
         */
        PartRole: "backbone" | "adapter" | "head" | "risk";
        /**
         * PartsLacking
         * @description The files of `PartsOffered` that the server does not hold whole.
         */
        PartsLacking: {
            /** Files */
            files: components["schemas"]["PartHeld"][];
        };
        /**
         * PartsOffered
         * @description `POST /api/policies/parts/lacking`: what a publisher has.
         */
        PartsOffered: {
            /** Files */
            files: components["schemas"]["PartFile"][];
        };
        Password: string;
        /** Pause */
        Pause: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "pause";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /**
         * Phase
         * @description Of an intervention: back to familiar states first, then the part to learn from.
         * @enum {string}
         */
        Phase: "recovery" | "correction";
        /**
         * PolicyManifest
         * @description A version as a set of parts; their files are sent before it (`POST /api/policies`).
         */
        PolicyManifest: {
            /** Algorithm */
            algorithm: string;
            /**
             * Created T Utc
             * Format: date-time
             */
            created_t_utc: string;
            /** Feed Cursor */
            feed_cursor: number;
            /** Parent Version */
            parent_version: number | null;
            /** Parts */
            parts: components["schemas"]["Part"][];
            /**
             * Policy Id
             * Format: uuid
             */
            policy_id: string;
            sha256: components["schemas"]["Sha256"];
            /** Size Bytes */
            size_bytes: number;
            /** Task */
            task: string;
            update: components["schemas"]["Update"] | null;
        };
        /**
         * PolicyPage
         * @description Newest first; `pinned` is the version at which the task's robots are held, if any.
         */
        PolicyPage: {
            /** Pinned */
            pinned: number | null;
            /** Policies */
            policies: components["schemas"]["PolicyVersion"][];
        };
        /**
         * PolicyStatus
         * @enum {string}
         */
        PolicyStatus: "candidate" | "active" | "superseded" | "rejected";
        /**
         * PolicyVersion
         * @description A manifest as the server keeps it, with the version number that it assigned (per task, from
         *     1).
         */
        PolicyVersion: {
            manifest: components["schemas"]["PolicyManifest"];
            status: components["schemas"]["PolicyStatus"];
            /** Stored T Utc */
            stored_t_utc?: string | null;
            /** Version */
            version: number;
        };
        /**
         * Problem
         * @description Something the server could not do with a client's frame: one plain sentence.
         */
        Problem: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "problem";
            /** Message */
            message: string;
        };
        /**
         * Provenance
         * @description What shaped the data; data of another identity is never mixed silently.
         */
        Provenance: {
            calibration_sha256: components["schemas"]["Name"];
            cell_sha256: components["schemas"]["Name"];
            code_version: components["schemas"]["Name"];
            identity?: components["schemas"]["DataIdentity"] | null;
            task_sha256: components["schemas"]["Name"];
        };
        /**
         * Purpose
         * @description What an episode was recorded for. Only training and demonstration episodes enter training.
         * @enum {string}
         */
        Purpose: "training" | "evaluation" | "demonstration";
        Quaternion: number[];
        /**
         * Ready
         * @description Lock-step: this client has sent all it wants to say for the turn at `t_ns`.
         *
         *     One that only watches may name the next turn that it needs, at most a second ahead. It gets one
         *     earlier when there is news: an answer, another mode, stage, lease or episode.
         */
        Ready: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "ready";
            /**
             * Next T Ns
             * @default null
             */
            next_t_ns: number | null;
            /** T Ns */
            t_ns: number;
        };
        /**
         * Refusal
         * @description `detail` is one plain sentence; facts for programs stand beside it.
         */
        Refusal: {
            /** Detail */
            detail: string;
        };
        /** Relabelled */
        Relabelled: {
            /** Author */
            author: string;
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "relabelled";
            outcome: components["schemas"]["Outcome"];
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
        };
        /**
         * ReleaseLease
         * @description Give the lease up; from who waits for it: withdraw the request, which is then answered.
         */
        ReleaseLease: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "release_lease";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /** Resume */
        Resume: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "resume";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /**
         * RewardEvidence
         * @description What the reward is derived from; never the reward itself (docs/learning.md).
         */
        RewardEvidence: {
            /** Classifier Probability */
            classifier_probability?: number | null;
            /** Simulator Success */
            simulator_success?: boolean | null;
        };
        /**
         * Rewind
         * @description Retrace the robot's last safe motion, as far as the task's `[rewind]` says; ends paused. The
         *     grippers stay as they are. While a person drives, only that person may ask.
         */
        Rewind: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "rewind";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /**
         * RiskChoice
         * @description Which action was sent in place of the policy's own, because of its risk. Recorded: never
         *     change a value.
         * @enum {string}
         */
        RiskChoice: "resampled" | "recovery" | "none_safe";
        /**
         * RiskCounts
         * @description Over episodes that have ended, are not excluded, and in which a risk critic judged.
         *
         *     vetoes: holds of the robot by the critic. cleared: those from which a person took over.
         *     overrides: interventions in which a person did what was above the critic's threshold.
         */
        RiskCounts: {
            /** Cleared */
            cleared: number;
            /** Episodes */
            episodes: number;
            /** Overrides */
            overrides: number;
            /** Vetoes */
            vetoes: number;
        };
        /**
         * RiskStatus
         * @description What the risk critic says of the newest decision, 0 … 1.
         */
        RiskStatus: {
            /** Held */
            held: boolean;
            /**
             * Overrides
             * @default 0
             */
            overrides: number;
            /** Risk */
            risk: number;
            /** Threshold */
            threshold: number | null;
            /**
             * Vetoes
             * @default 0
             */
            vetoes: number;
        };
        /** RobotList */
        RobotList: {
            /** Robots */
            robots: components["schemas"]["RobotPresence"][];
        };
        /** RobotPresence */
        RobotPresence: {
            /**
             * Arms
             * @default []
             */
            arms: string[];
            /** Cameras */
            cameras: string[];
            /** Connected */
            connected: boolean;
            /** Emergency Stop */
            emergency_stop: string;
            /**
             * Failure Classes
             * @default []
             */
            failure_classes: string[];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "robot_presence";
            /** Robot */
            robot: string;
            /** Simulated */
            simulated: boolean;
            /** Since S */
            since_s: number;
            /** Task */
            task: string;
        };
        /**
         * RobotTime
         * @description The robot's time, 50 times a second to the client that holds the lease, which echoes the
         *     newest in its commands: how old that is when a command arrives decides how fast it may drive.
         *
         *     A message of its own: one that waited for telemetry would make every command look 50 ms older.
         *     Forwarded without a queue, the latest value wins. A client that answers at once, with a drive
         *     message, spends none of the age that is allowed on waiting for its own timer.
         */
        RobotTime: {
            /**
             * Client Id
             * Format: uuid
             */
            client_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "robot_time";
            /** T Ns */
            t_ns: number;
        };
        /**
         * Role
         * @description People, from least to most; then machines.
         * @enum {string}
         */
        Role: "viewer" | "operator" | "engineer" | "admin" | "robot" | "learner";
        /**
         * RowsLost
         * @description Rows up to `last_sequence`, which this server lacks and the robot cannot send again.
         *
         *     The server notes them as lost and goes on behind them.
         */
        RowsLost: {
            /**
             * Boot Epoch
             * Format: uuid
             */
            boot_epoch: string;
            last_sequence: components["schemas"]["Sequence"];
            reason: components["schemas"]["Text"];
            robot: components["schemas"]["Name"];
        };
        /** SafetyEventRow */
        SafetyEventRow: {
            /** By */
            by: string;
            /** Cause */
            cause: string;
            /** Code */
            code: string;
            /**
             * Event Id
             * Format: uuid
             */
            event_id: string;
            /** T Robot Ns */
            t_robot_ns: number;
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
        };
        Seed: number;
        /**
         * SegmentStored
         * @description A segment is stored; its bytes are at `/api/segments/{segment_id}`.
         */
        SegmentStored: {
            /** Count */
            count: number;
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            /** First Index */
            first_index: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "segment_stored";
            /**
             * Segment Id
             * Format: uuid
             */
            segment_id: string;
            /** Sha256 */
            sha256: string;
        };
        Sequence: number;
        /**
         * ServerCursors
         * @description `server_id`: of its database, for ever; `generation`: another one after each restore.
         *
         *     `cursors`: of those epochs that were asked for and of which anything is stored.
         */
        ServerCursors: {
            /** Cursors */
            cursors: components["schemas"]["BatchAck"][];
            /**
             * Generation
             * Format: uuid
             */
            generation: string;
            /**
             * Server Id
             * Format: uuid
             */
            server_id: string;
        };
        /**
         * SessionList
         * @description Newest first.
         */
        SessionList: {
            /** Sessions */
            sessions: components["schemas"]["OpenSession"][];
        };
        /**
         * SetLimitProfile
         * @description Switch a limit profile of the cell on, which needs no lease because it can only tighten, or
         *     off, which needs the lease. What the task or its instruction chose stays on.
         */
        SetLimitProfile: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "set_limit_profile";
            /** On */
            on: boolean;
            profile: components["schemas"]["Name"];
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        Sha256: string;
        /**
         * Share
         * @description A proportion with its Wilson 95 % interval; `value` is None without trials.
         */
        Share: {
            /** High */
            high: number;
            /** Low */
            low: number;
            /** Successes */
            successes: number;
            /** Trials */
            trials: number;
            /** Value */
            value: number | null;
        };
        /**
         * SimulatorTruth
         * @description The simulator's true state; exists only in simulation, and only clients that ask with
         *     `truth=1` get it.
         */
        SimulatorTruth: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "simulator_truth";
            /** Objects */
            objects: components["schemas"]["TruthObject"][];
            /** Progress */
            progress: number;
            /** Reset Count */
            reset_count: number;
            /** Success */
            success: boolean;
            /** T Ns */
            t_ns: number;
        };
        /**
         * Source
         * @description Who moved the reference: in a tick of control, and in a recorded step.
         * @enum {string}
         */
        Source: "policy" | "human" | "rewind" | "reset" | "hold";
        /**
         * StartEpisode
         * @description Start the next episode (and the policy, unless it is a demonstration, which waits for a
         *     takeover).
         */
        StartEpisode: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "start_episode";
            /** @default null */
            policy_version: components["schemas"]["Counter"] | null;
            /** @default training */
            purpose: components["schemas"]["Purpose"];
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
            /** @default null */
            seed: components["schemas"]["Seed"] | null;
        };
        /**
         * Step
         * @description A record of the step grid; an episode of N steps has N + 1, the last without action.
         */
        Step: {
            /** Arms */
            arms: {
                [key: string]: components["schemas"]["ArmObservation"];
            };
            chunk_id?: components["schemas"]["Int64"] | null;
            chunk_index?: components["schemas"]["Int64"] | null;
            commanded_action?: components["schemas"]["Action"] | null;
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            /** @default {} */
            evidence: components["schemas"]["RewardEvidence"];
            executed_action?: components["schemas"]["Action"] | null;
            /** Frames */
            frames: {
                [key: string]: components["schemas"]["FrameStamp"];
            };
            human_action?: components["schemas"]["Action"] | null;
            index: components["schemas"]["Count"];
            /** Inference S */
            inference_s?: number | null;
            /** Intervention Id */
            intervention_id?: string | null;
            /**
             * Limit Profiles
             * @default []
             */
            limit_profiles: components["schemas"]["Name"][];
            /** @default 0 */
            limits: components["schemas"]["Count"];
            operator?: components["schemas"]["Name"] | null;
            phase?: components["schemas"]["Phase"] | null;
            policy_version?: components["schemas"]["Count"] | null;
            proposed_action?: components["schemas"]["Action"] | null;
            /** @default  */
            reject_reason: components["schemas"]["Text"];
            /** Risk */
            risk?: number | null;
            /** Risk Calibrated */
            risk_calibrated?: number | null;
            risk_choice?: components["schemas"]["RiskChoice"] | null;
            /** Risk Taken */
            risk_taken?: number | null;
            /** Risk Threshold */
            risk_threshold?: number | null;
            /** @default hold */
            source: components["schemas"]["Source"];
            /**
             * Stale Cameras
             * @default []
             */
            stale_cameras: components["schemas"]["CameraName"][];
            t_robot_ns: components["schemas"]["Int64"];
            /**
             * T Utc
             * Format: date-time
             */
            t_utc: string;
            /**
             * Terminated
             * @default false
             */
            terminated: boolean;
            /**
             * Truncated
             * @default false
             */
            truncated: boolean;
        };
        /**
         * Stop
         * @description STOP ROBOT (software). Needs no lease, is never refused, latches.
         */
        Stop: {
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "stop";
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /**
         * StopProgress
         * @description sent → acknowledged → motion stopped, as the robot saw it.
         */
        StopProgress: {
            /** Braking T Ns */
            braking_t_ns: number;
            /** By */
            by: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "stop_progress";
            /** Received T Ns */
            received_t_ns: number;
            /** Stopped T Ns */
            stopped_t_ns: number | null;
        };
        /**
         * Takeover
         * @description Needs the lease and, within 500 ms, a drive message with the dead-man held.
         */
        Takeover: {
            device: components["schemas"]["Name"];
            /** @default 0 */
            echo_t_ns: components["schemas"]["Counter"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "takeover";
            /** @default  */
            reason: components["schemas"]["Name"];
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /**
         * Telemetry
         * @description 10–20 Hz. `t_ns` is the robot's clock; clients echo the newest they saw, see RobotTime.
         */
        Telemetry: {
            /** Action Age Ms */
            action_age_ms: number | null;
            /** Arms */
            arms: {
                [key: string]: components["schemas"]["ArmTelemetry"];
            };
            /** Cause */
            cause: string;
            device_axes: components["schemas"]["Vector6"] | null;
            /** Device Name */
            device_name: string | null;
            episode: components["schemas"]["EpisodeStatus"];
            /** @default null */
            fault: components["schemas"]["FaultCode"] | null;
            /** Frame Age Ms */
            frame_age_ms: {
                [key: string]: number;
            };
            /** Inference Ms */
            inference_ms: number | null;
            /** Intervention Id */
            intervention_id: string | null;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "telemetry";
            lease: components["schemas"]["LeaseStatus"];
            /**
             * Limit Profiles
             * @default []
             */
            limit_profiles: components["schemas"]["LimitProfileStatus"][];
            /** Limits */
            limits: string[];
            loop: components["schemas"]["LoopStatus"];
            mode: components["schemas"]["Mode"];
            /** Moving */
            moving: boolean;
            outbox: components["schemas"]["OutboxStatus"];
            phase: components["schemas"]["Phase"] | null;
            /** Policy Version */
            policy_version: number | null;
            /** @default null */
            risk: components["schemas"]["RiskStatus"] | null;
            /** Round Trip Ms */
            round_trip_ms: number | null;
            source: components["schemas"]["Source"];
            /** Speed Limit M S */
            speed_limit_m_s: number;
            /** Speed M S */
            speed_m_s: number;
            /** T Ns */
            t_ns: number;
        };
        Text: string;
        /**
         * Token
         * @description What is known of a token, which is not the token itself.
         */
        Token: {
            /**
             * Created T Utc
             * Format: date-time
             */
            created_t_utc: string;
            /** Expires T Utc */
            expires_t_utc: string | null;
            /** Last Used T Utc */
            last_used_t_utc: string | null;
            /** Made By */
            made_by: string;
            /** Name */
            name: string;
            /** Revoked T Utc */
            revoked_t_utc: string | null;
            role: components["schemas"]["Role"];
            /** Task */
            task: string | null;
            /**
             * Token Id
             * Format: uuid
             */
            token_id: string;
        };
        /**
         * TokenList
         * @description Those in use first, newest first.
         */
        TokenList: {
            /** Tokens */
            tokens: components["schemas"]["Token"][];
        };
        /**
         * TrainedPoint
         * @description An intervention and the version in which it acts; None where none has acted yet.
         */
        TrainedPoint: {
            /** Acting Version */
            acting_version: number | null;
            /**
             * Ended T Utc
             * Format: date-time
             */
            ended_t_utc: string;
            /**
             * Episode Id
             * Format: uuid
             */
            episode_id: string;
            /**
             * Intervention Id
             * Format: uuid
             */
            intervention_id: string;
            /** Latency S */
            latency_s: number | null;
            /** Operator */
            operator: string;
            /** Version */
            version: number;
        };
        /**
         * TrainingHistory
         * @description Newest first.
         */
        TrainingHistory: {
            /** Interventions */
            interventions: components["schemas"]["TrainedPoint"][];
            /** Versions */
            versions: components["schemas"]["VersionPoint"][];
        };
        /** TrainingStatus */
        TrainingStatus: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "training_status";
            progress: components["schemas"]["LearnerProgress"] | null;
            /** Versions */
            versions: components["schemas"]["PolicyVersion"][];
        };
        /** TruthObject */
        TruthObject: {
            /** Name */
            name: string;
            position_m: components["schemas"]["Vector3"];
            quaternion_wxyz: components["schemas"]["Quaternion"];
        };
        /**
         * Update
         * @description What the learner did between two versions.
         */
        Update: {
            /** Actor Updates */
            actor_updates: number;
            /** Batch Demonstrations */
            batch_demonstrations: number;
            /** Batch Online */
            batch_online: number;
            /** Critic Updates */
            critic_updates: number;
            /** Env Steps */
            env_steps: number;
            /**
             * First Sampled
             * @default []
             */
            first_sampled: components["schemas"]["FirstSampled"][];
            /** Learner Step */
            learner_step: number;
            /** Losses */
            losses: {
                [key: string]: number;
            };
            /** New Interventions */
            new_interventions: string[];
            /** Wall S */
            wall_s: number;
        };
        /**
         * User
         * @description A person who may sign in; without a password by one-time links only.
         */
        User: {
            /**
             * Created T Utc
             * Format: date-time
             */
            created_t_utc: string;
            /** Has Password */
            has_password: boolean;
            /** Name */
            name: string;
            role: components["schemas"]["Role"];
        };
        /**
         * UserChange
         * @description What is left out stays.
         */
        UserChange: {
            password?: components["schemas"]["Password"] | null;
            role?: components["schemas"]["Role"] | null;
        };
        /**
         * UserList
         * @description By name.
         */
        UserList: {
            /** Users */
            users: components["schemas"]["User"][];
        };
        Vector3: number[];
        Vector6: number[];
        /**
         * VersionFigures
         * @description Of episodes in which this version was the last to act; None: no policy acted.
         */
        VersionFigures: {
            figures: components["schemas"]["Figures"];
            /** Version */
            version: number | null;
        };
        /**
         * VersionPoint
         * @description A version in the training strip. `losses` is empty for one that was cloned.
         */
        VersionPoint: {
            /** Env Steps */
            env_steps: number | null;
            /** Learner Step */
            learner_step: number | null;
            /** Losses */
            losses: {
                [key: string]: number;
            };
            /** New Interventions */
            new_interventions: number;
            status: components["schemas"]["PolicyStatus"];
            /**
             * Stored T Utc
             * Format: date-time
             */
            stored_t_utc: string;
            /** Version */
            version: number;
            /** Wall S */
            wall_s: number | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    get_audit_api_audit_get: {
        parameters: {
            query?: {
                before?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditPage"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_export_api_audit_export_get: {
        parameters: {
            query?: {
                format?: components["schemas"]["AuditFormat"];
                since?: string | null;
                until?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_episodes_api_episodes_get: {
        parameters: {
            query?: {
                sort?: "started" | "steps" | "interventions" | "human_steps" | "risk" | "policy_version";
                descending?: boolean;
                limit?: number;
                after?: string | null;
                offset?: number;
                task?: string | null;
                robot?: string | null;
                run_id?: string | null;
                outcome?: components["schemas"]["Outcome"] | null;
                unlabelled?: boolean | null;
                failure_class?: string | null;
                purpose?: components["schemas"]["Purpose"] | null;
                policy_version?: number | null;
                limit_profile?: string | null;
                operator?: string | null;
                interventions?: boolean | null;
                excluded?: boolean | null;
                since?: string | null;
                until?: string | null;
                text?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EpisodePage"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_episode_api_episodes__episode_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                episode_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EpisodeDetail"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_annotation_api_episodes__episode_id__annotations_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                episode_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewAnnotation"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AnnotationRow"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_exclusion_api_episodes__episode_id__exclusions_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                episode_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewExclusion"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExclusionRow"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_frame_api_episodes__episode_id__frames__camera___index__jpg_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                episode_id: string;
                camera: string;
                index: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_decision_api_episodes__episode_id__interventions__intervention_id__decisions_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                episode_id: string;
                intervention_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewDecision"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DecisionRow"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_label_api_episodes__episode_id__labels_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                episode_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewLabel"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LabelRow"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_steps_api_episodes__episode_id__steps_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                episode_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EpisodeSteps"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_feed_api_feed_get: {
        parameters: {
            query: {
                task: string;
                after?: number;
                wait_s?: number;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FeedPage"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_health_api_health_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_ready_api_health_ready_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_batch_api_ingest_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchAck"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The two sides speak different versions: the same version must be installed on both. */
            426: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_cursor_api_ingest_cursor_get: {
        parameters: {
            query: {
                robot: string;
                boot_epoch: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchAck"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_cursors_api_ingest_cursors_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CursorsAsked"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServerCursors"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_lost_api_ingest_lost_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RowsLost"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchAck"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_progress_api_learner_progress_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LearnerProgress"];
            };
        };
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_status_api_learner_status_get: {
        parameters: {
            query: {
                task: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TrainingStatus"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_login_link_api_login_links_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginUrl"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_logout_api_logout_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_me_api_me_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    put_password_api_me_password_put: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPassword"];
            };
        };
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It was tried too often: later it may be again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_metrics_api_metrics_get: {
        parameters: {
            query?: {
                newest?: number | null;
                below?: number | null;
                versions?: number;
                task?: string | null;
                robot?: string | null;
                run_id?: string | null;
                outcome?: components["schemas"]["Outcome"] | null;
                unlabelled?: boolean | null;
                failure_class?: string | null;
                purpose?: components["schemas"]["Purpose"] | null;
                policy_version?: number | null;
                limit_profile?: string | null;
                operator?: string | null;
                interventions?: boolean | null;
                excluded?: boolean | null;
                since?: string | null;
                until?: string | null;
                text?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MetricsSummary"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_policies_api_policies_get: {
        parameters: {
            query?: {
                task?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PolicyPage"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_policy_api_policies_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PolicyManifest"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PolicyVersion"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_lacking_api_policies_parts_lacking_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PartsOffered"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PartsLacking"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_part_api_policies_parts__sha256__get: {
        parameters: {
            query?: never;
            header?: {
                Range?: string | null;
                "if-range"?: string | null;
            };
            path: {
                sha256: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    put_part_api_policies_parts__sha256__put: {
        parameters: {
            query: {
                offset: number;
                size_bytes: number;
            };
            header?: never;
            path: {
                sha256: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PartHeld"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    delete_pin_api_policies__task__pin_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_wanted_api_policies__task__wanted_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PolicyVersion"] | null;
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_pin_api_policies__task___version__pin_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task: string;
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_reject_api_policies__task___version__reject_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task: string;
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_robots_api_robots_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RobotList"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_segment_api_segments__segment_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                segment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_sessions_api_sessions_get: {
        parameters: {
            query?: {
                /** @description For an admin: those of all. */
                everybody?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionList"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    delete_session_api_sessions__session_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_sign_in_api_sign_in_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Credentials"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It was tried too often: later it may be again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_tokens_api_tokens_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenList"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_token_api_tokens_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewToken"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MadeToken"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    delete_token_api_tokens__token_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                token_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_training_api_training_get: {
        parameters: {
            query: {
                task: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TrainingHistory"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    get_users_api_users_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserList"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_user_api_users_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewUser"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    delete_user_api_users__name__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    patch_user_api_users__name__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_link_api_users__name__login_links_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginUrl"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
    post_reset_api_users__name__password_resets_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginUrl"];
                };
            };
            /** @description It is no request. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller is unknown: signing in would help. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description The caller may not do that. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description There is no such thing. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It came too slowly: sending it again may succeed. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It does not fit what is there already. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description It is longer than is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description What was given cannot be used as it is. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
            /** @description Not now: the same may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refusal"];
                };
            };
        };
    };
}
