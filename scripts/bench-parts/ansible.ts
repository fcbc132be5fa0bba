/** The same deploy by Ansible, as an expert would tune it: one node at a time, pipelining, one connection a host, no facts. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { userInfo } from "node:os";
import { stringify } from "yaml";
import type { Lab } from "../../test/lab/lab.ts";

export interface Playbook {
  words: string[];
  env: Record<string, string>;
}

const haproxy = (lab: Lab, state: string, more: object): object[] =>
  lab.balancers.map(({ adminSocket, name }) => ({
    name: `${state} on ${name}`,
    "community.general.haproxy": {
      state,
      host: "{{ inventory_hostname }}",
      backend: "app",
      socket: adminSocket,
      wait: true,
      // Its shortest: seconds between two looks.
      wait_interval: 1,
      wait_retries: 120,
      ...more,
    },
    delegate_to: "localhost",
  }));

export async function playbookOf(lab: Lab, release: string): Promise<Playbook> {
  const folder = join(lab.folder, "ansible");
  await mkdir(folder, { recursive: true });
  const hosts = Object.fromEntries(
    lab.nodes.map(({ name, host, sshPort, folder: home, statusUrl }) => [
      name,
      { ansible_host: host, ansible_port: sshPort, home, status_url: statusUrl },
    ]),
  );
  const inventory = join(folder, "hosts.yml");
  await writeFile(
    inventory,
    stringify({
      web: {
        hosts,
        vars: {
          ansible_user: userInfo().username,
          ansible_ssh_private_key_file: lab.identity,
          ansible_python_interpreter: "/usr/bin/python3",
        },
      },
    }),
  );
  const playbook = join(folder, "deploy.yml");
  await writeFile(
    playbook,
    stringify([
      {
        hosts: "web",
        serial: 1,
        gather_facts: false,
        max_fail_percentage: 0,
        tasks: [
          ...haproxy(lab, "drain", { drain: true }),
          {
            name: "upgrade and restart",
            "ansible.builtin.shell": `./switch-release ${release} && ./appctl restart`,
            args: { chdir: "{{ home }}" },
          },
          {
            name: "check",
            "ansible.builtin.uri": { url: "{{ status_url }}", return_content: true },
            delegate_to: "localhost",
            register: "page",
            until: `page.status == 200 and '"release": "${release}"' in page.content`,
            retries: 120,
            delay: 0.5,
          },
          ...haproxy(lab, "enabled", {}),
        ],
      },
    ]),
  );
  return {
    words: ["-i", inventory, playbook],
    env: {
      ANSIBLE_PIPELINING: "True",
      ANSIBLE_SSH_ARGS: `-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=${lab.knownHosts}`,
      ANSIBLE_SSH_CONTROL_PATH_DIR: join(folder, "cp"),
      ANSIBLE_GATHERING: "explicit",
      ANSIBLE_LOCAL_TEMP: join(folder, "tmp"),
      ANSIBLE_HOME: join(folder, "home"),
      ANSIBLE_NOCOWS: "True",
      LC_ALL: "C.UTF-8",
    },
  };
}
