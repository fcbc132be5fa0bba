/** `status_page`: how a node leaves by its own page. */
import * as z from "zod";
import { duration, filled } from "./schema-parts.ts";

const act = (what: string) =>
  z
    .union(
      [
        filled,
        z
          .strictObject({
            post: z
              .string()
              .regex(/^https?:\/\//, { error: "does not begin with http:// or https://" })
              .describe("Sent from here, with an empty body. Filled in like check.url."),
          })
          .describe("An HTTP call, instead of a command."),
      ],
      { error: "write a command, or { post: http://{host}:8000/_out }" },
    )
    .describe(`${what}: a command, run on the node as /bin/sh -eu, or an HTTP call. It may be told twice.`);

const count = z.int().min(1).max(1_000);

export const statusPage = z
  .strictObject({
    out: act("Makes the page answer with check.while_out"),
    in: act("Makes the page answer as usual"),
    inter: duration
      .optional()
      .describe(
        "`inter` of HAProxy's check (`downinter`, if that is longer). Needed where no balancer can be asked.",
      ),
    fastinter: duration.optional().describe("`fastinter` of HAProxy's check. Absent: as inter."),
    fall: count.optional().describe("`fall` of HAProxy's check. Needed where no balancer can be asked."),
    rise: count.optional().describe("`rise` of HAProxy's check. Needed where no balancer can be asked."),
    timeout: duration.optional().describe("`timeout check` of HAProxy. Absent: as inter."),
    linger: duration
      .default("5s")
      .describe("How long requests may run on, where no balancer can be asked whether any do."),
  })
  .describe("How a node leaves by its own page. For drain.via: status-page.");
