import type { RotaError } from "../../base/errors.ts";
import { notRight, problemAt } from "../../inventory/problems.ts";
import type { Place } from "./values.ts";

export const importNext = "mend the lines above, or leave them out of a copy; then: rota import ansible FILE";
/** Of a file that can't be read at all, so that no line of it was. */
export const otherFile = "rota import ansible FILE, with the path of an Ansible inventory";

/** The same of a file of variables beside it. */
export const leaveOut = "make that file readable, or leave it out of a copy; then: rota import ansible FILE";

/** What rota does not understand, or Ansible itself would refuse. */
export const faultAt = ({ file, line }: Place, text: string): RotaError =>
  notRight(file, [problemAt({ line, column: 1 }, [], text)], importNext);
