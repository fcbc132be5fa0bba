/** A host of Ansible's → a node, as far as its variables tell how it is reached. */
import { printable } from "../../base/quote.ts";
import { namePattern, shown } from "../../inventory/names.ts";
import { isHost, userPattern } from "../../inventory/socket.ts";
import type { Login } from "../sketch.ts";
import { jumpIn } from "./jump.ts";
import { Tagged, type Value, type Variable, type Variables } from "./values.ts";

export interface Reached {
  host: string;
  login: Login;
  /** What could not be taken over. */
  remarks: string[];
}

/** Where each is said; the last one wins, as in Ansible's ssh. */
const variablesFor = {
  host: ["ansible_host", "ansible_ssh_host"],
  user: ["ansible_user", "ansible_ssh_user"],
  port: ["ansible_port", "ansible_ssh_port"],
  identity: ["ansible_private_key_file", "ansible_ssh_private_key_file"],
  become: ["ansible_become"],
  becomeUser: ["ansible_become_user"],
  becomeMethod: ["ansible_become_method"],
  connection: ["ansible_connection"],
};

const sshArguments = ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"];
const passwords = /^ansible_(ssh_|become_|sudo_|su_)?pass(word)?$/;

/** Connections that are SSH. */
const overSsh = ["ssh", "smart", "openssh", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"];

const isTemplate = (text: string): boolean => /\{\{|\{%/.test(text);

/** How it is reached, or why it can't be a node. */
export function reach(name: string, variables: Variables): Reached | { problem: string } {
  const remarks: string[] = [];
  const set = (key: keyof typeof variablesFor): Variable | undefined =>
    variablesFor[key].flatMap((word) => variables.get(word) ?? []).at(-1);
  /** Its text; where that is no plain one, that is said. */
  const text = (key: keyof typeof variablesFor): string | undefined => {
    const word = variablesFor[key].findLast((one) => variables.has(one)) ?? "";
    const variable = variables.get(word);
    const plain = variable && plainText(variable.value);
    if (variable && plain === undefined) remarks.push(`${saidAt(word, variable)}, so it is not taken over`);
    return plain;
  };

  const connection = text("connection");
  if (connection !== undefined && !overSsh.includes(connection)) {
    return { problem: `${said("ansible_connection", connection)}: rota reaches nodes over SSH only` };
  }
  const address = set("host");
  const host = address ? plainText(address.value) : name;
  if (host === undefined && address) return { problem: saidAt("ansible_host", address) };
  if (host === undefined || !isHost(host)) {
    return {
      problem: `${shown(host ?? "")} is not a host's name or address${address ? `, ${at(address)}` : ""}`,
    };
  }

  const login: Login = {};
  const user = text("user");
  if (user !== undefined && userPattern.test(user)) login.user = user;
  else if (user !== undefined) remarks.push(`${said("ansible_user", user)} is not taken over`);
  const port = text("port");
  if (port !== undefined) {
    const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
    if (number >= 1 && number <= 65_535) login.port = number;
    else remarks.push(`${said("ansible_port", port)} is not taken over`);
  }
  const identity = text("identity");
  if (identity !== undefined && identity.trim() !== "") {
    login.identity = identity;
    if (!/^(~\/|\/)/.test(identity))
      remarks.push(`${shown(identity)}: a relative path starts at this file's folder`);
  }
  const jump = jumpOf(variables);
  if (typeof jump === "string") login.jump = jump;
  else if (jump) remarks.push(jump.problem);
  if (/^(true|yes|on|1|y)$/i.test(text("become") ?? "")) login.sudo = true;
  const [becomeUser = "root", method = "sudo"] = [text("becomeUser"), text("becomeMethod")];
  if (login.sudo && becomeUser !== "root")
    remarks.push(`${said("ansible_become_user", becomeUser)}: with sudo rota's commands run as root`);
  if (login.sudo && method !== "sudo")
    remarks.push(`${said("ansible_become_method", method)}: rota has sudo only`);
  if ([...variables.keys()].some((word) => passwords.test(word))) {
    remarks.push(
      "a password is not taken over: rota logs in by key or agent; for sudo there is ssh.sudo: password",
    );
  }
  return { host, login, remarks };
}

function jumpOf(variables: Variables): string | undefined | { problem: string } {
  const found = sshArguments.flatMap((word) => variables.get(word) ?? []);
  const jumps = found.map((variable) => {
    const text = plainText(variable.value);
    return text === undefined
      ? { problem: `${saidAt("its SSH options", variable)}, so they are not taken over` }
      : jumpIn(text);
  });
  return jumps.find((one) => one !== undefined);
}

/** Of a value that is a text of one line without templates, a number or a boolean. */
export function plainText(value: Value): string | undefined {
  if (typeof value === "string") return isTemplate(value) || printable(value) !== value ? undefined : value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

const said = (word: string, value: string): string => `${word} ${shown(value)}`;

export const at = ({ place: { file, line } }: Variable): string => `${file}:${line}`;

/** What stands there instead of a plain value. */
export const saidAt = (word: string, variable: Variable): string => {
  const { value } = variable;
  const kind =
    value instanceof Tagged && value.tag === "vault"
      ? "encrypted"
      : typeof value === "string" && isTemplate(value)
        ? "a template"
        : "no plain text";
  return `${word}, ${at(variable)}, is ${kind}`;
};

/** A name that an inventory can have. */
export const nodeName = (name: string): string => {
  const fit = name.replace(/[^A-Za-z0-9._:-]/g, "-").slice(0, 200);
  return namePattern.test(fit) && fit !== "__proto__" ? fit : "node";
};
