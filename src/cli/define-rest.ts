/** What has to do with neither fleet nor run. */
import type { Command } from "@commander-js/extra-typings";
import { type Ends, examples } from "./define.ts";
import type { Io } from "./io.ts";

export function defineRest(rota: Command, io: Io, ends: Ends): void {
  rota
    .command("completion <shell>")
    .description("print what bash, zsh or fish needs to complete commands, nodes, pools and runs")
    .helpOption("-h, --help", "print this help")
    .addHelpText(
      "after",
      examples(
        ["source <(rota completion bash)", "in ~/.bashrc"],
        ["source <(rota completion zsh)", "in ~/.zshrc, after compinit"],
        ["rota completion fish | source", "in ~/.config/fish/config.fish"],
      ),
    )
    .action(async (shell) => ends((await import("./completion.ts")).completion(shell, io)));

  // Asked by the shells.
  rota
    .command("complete [words...]", { hidden: true })
    .action(async (words) => ends(await (await import("./complete.ts")).complete(rota, words, io)));
}
