/**
 * CSV as HAProxy writes it (RFC 4180 quoting; `last_chk` is text from the app and may hold anything).
 *
 * @returns undefined for text that ends inside quotes, or goes on after them
 */
export function csvRecords(text: string): string[][] | undefined {
  const records: string[][] = [];
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf("\n", at);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(at, end);
    // Nearly all lines are so plain, and a large fleet has thousands.
    const read = line.includes('"') ? quotedRecord(text, at) : { record: line.split(","), next: end + 1 };
    if (!read) return undefined;
    records.push(read.record);
    at = read.next;
  }
  return records;
}

/** @param at where it begins; it may go on over the ends of lines */
function quotedRecord(text: string, at: number): { record: string[]; next: number } | undefined {
  const record: string[] = [];
  const field = /(?:"([^"]*(?:""[^"]*)*)"|([^,\n"][^,\n]*)?)(,|\n|$)/y;
  field.lastIndex = at;
  for (;;) {
    const [, quoted, plain = "", end] = field.exec(text) ?? [];
    if (end === undefined) return undefined;
    record.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end !== ",") return { record, next: end === "" ? text.length : field.lastIndex };
  }
}
