import * as z from "zod";
import { filled } from "./schema-parts.ts";

/** A release that rota itself brings to the nodes. */
export const release = z
  .strictObject({
    upload: filled
      .describe(
        "A tar file here, packed or not, as build-{RELEASE}.tar.gz: relative to the inventory. Filled in like check.url.",
      )
      .meta({ examples: ["build-{RELEASE}.tar.gz"] }),
    to: filled
      .describe(
        "A folder of the node, as /srv/app: each release lies in its releases/NAME, and its link `current` points to the one that the next start runs. Filled in like check.url.",
      )
      .meta({ examples: ["/srv/app"] }),
    keep: z
      .int()
      .min(1)
      .default(5)
      .describe(
        "Releases that stay on the node, the newest. The one that runs and the one before it stay in any case.",
      ),
  })
  .describe(
    "A release that is uploaded and unpacked before the first node leaves, while all serve; while a node is out, the link is switched. `prepare` then runs in the new release's folder.",
  );
