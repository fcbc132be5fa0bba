import { execFile } from "node:child_process";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { loadAnsible } from "../../src/drafting/ansible/load.ts";
import { examples, listed } from "../drafting/listing.ts";

/** `ansible-inventory -i FILE --list`, of each file in a process of its own: most of what one costs is to load Ansible. */
const listAll = `
import json, os, sys
from ansible.cli.inventory import main

for file in sys.argv[1:]:
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writable, 1)
        sys.argv[1:] = ["-i", file, "--list"]
        try:
            main()
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(writable)
    with open(readable) as output:
        print(json.dumps([file, output.read()]), flush=True)
    os.waitpid(child, 0)
`;

/** Debian's own: another Python may stand before it in $PATH. */
const python = "/usr/bin/python3";

let lists: Map<string, string>;
beforeAll(async () => {
  const { stdout } = await promisify(execFile)(python, ["-c", listAll, ...examples], {
    cwd: "/",
    env: {
      PATH: "/usr/bin:/bin",
      HOME: "/nonexistent",
      LANG: "C.UTF-8",
      ANSIBLE_LOCALHOST_WARNING: "False",
    },
  });
  lists = new Map(
    stdout
      .trim()
      .split("\n")
      .map((line): [string, string] => JSON.parse(line)),
  );
});

test.each(examples.map((file) => [basename(dirname(file)), file]))(
  "%s is read as ansible-inventory reads it",
  (_, file) => {
    expect(listed(loadAnsible(file, "/"))).toEqual(JSON.parse(lists.get(file) ?? ""));
  },
);
