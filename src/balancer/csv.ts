/**
 * CSV as HAProxy writes it (RFC 4180 quoting; `last_chk` is text from the app and may hold anything).
 *
 * @returns undefined for text that ends inside quotes, or goes on after them
 */
export function csvRecords(text: string): string[][] | undefined {
  const records: string[][] = [];
  let record: string[] = [];
  const field = /(?:"([^"]*(?:""[^"]*)*)"|([^,\n"][^,\n]*)?)(,|\n|$)/y;
  while (field.lastIndex < text.length || record.length > 0) {
    const [, quoted, plain = "", end] = field.exec(text) ?? [];
    if (end === undefined) return undefined;
    record.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === ",") continue;
    records.push(record);
    record = [];
    if (end === "") break;
  }
  return records;
}
