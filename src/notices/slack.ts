/**
 * A notice as a message for what takes Slack's incoming webhooks: Slack itself, Mattermost, Rocket.Chat, Discord at /slack.
 * No more than they all show alike: text, bold, code. What was not written by rota stands in code, where nothing is a
 * link, a picture or a call of people. Pure.
 */
import type { Notice } from "./notice.ts";
import { type Line, toldIn } from "./words.ts";

/** Discord takes 2000 characters, and refuses a longer message whole. */
export const longestMessage = 1_900;

/** Of one line. */
const longestLine = 700;

export function slackBody(notice: Notice): { text: string } {
  const { title, lines } = toldIn(notice);
  let text = `*${escaped(title, longestLine)}*`;
  for (const line of lines.map(written)) {
    if (text.length + 1 + line.length > longestMessage) continue;
    text += `\n${line}`;
  }
  return { text };
}

function written({ label, text, is }: Line): string {
  const quiet = text.replaceAll("`", "'");
  switch (is) {
    case "words":
      return `${label}: ${escaped(uncalled(text.replaceAll(/\s+/g, " ")), longestLine)}`;
    case "value":
      return `${label}: \`${escaped(uncalled(quiet.replaceAll(/\s+/g, " ")), longestLine)}\``;
    case "output":
      return `${label}:\n\`\`\`\n${escaped(uncalled(quiet), longestLine)}\n\`\`\``;
    case "command":
      // As it can be pasted; it is in code, and "@web" a pool.
      return `${label}: \`${escaped(quiet.replaceAll(/\s+/g, " "), longestLine)}\``;
  }
}

/** Mattermost, Rocket.Chat and Discord call people at a bare "@channel", "@all", "@everyone": a mark of no width ends that. */
const uncalled = (text: string): string => text.replaceAll("@", "@\u200b");

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** Slack's three control characters (docs.slack.dev: "Escaping text"), at most so long, and no entity cut in two. */
function escaped(text: string, most: number): string {
  let out = "";
  for (const character of text) {
    const next = entities[character] ?? character;
    if (out.length + next.length > most - 1) return `${out}…`;
    out += next;
  }
  return out;
}
