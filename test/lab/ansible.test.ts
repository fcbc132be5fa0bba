import { execFile } from "node:child_process";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { loadAnsible } from "../../src/drafting/ansible/load.ts";
import { examples, listed } from "../drafting/listing.ts";

/** Debian's own: another one may stand before it in $PATH. */
const program = "/usr/bin/ansible-inventory";

test.concurrent.each(examples.map((file) => [basename(dirname(file)), file]))(
  "%s is read as ansible-inventory reads it",
  async (_, file) => {
    const { stdout } = await promisify(execFile)(program, ["-i", file, "--list"], {
      cwd: "/",
      env: {
        PATH: "/usr/bin:/bin",
        HOME: "/nonexistent",
        LANG: "C.UTF-8",
        ANSIBLE_LOCALHOST_WARNING: "False",
      },
    });
    expect(listed(loadAnsible(file, "/"))).toEqual(JSON.parse(stdout));
  },
);
