import { homedir, userInfo } from "node:os";

/** What an inventory may leave to the machine that rota runs on. */
export interface Here {
  /** Empty where the machine has no name for its user, as in some containers. */
  user: string;
  home: string;
  /** The folder that relative paths of inventories start at. */
  folder: string;
}

export const thisMachine = (folder = process.cwd()): Here => ({ user: userName(), home: homedir(), folder });

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "";
  }
}
