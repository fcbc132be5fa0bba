import { useState } from "preact/hooks";
import { Refused, ask } from "./ask.ts";

export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const [problem, setProblem] = useState("");
  const [token, setToken] = useState("");
  return (
    <main class="sign-in">
      <h1>rota</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          ask("/api/sign-in", { token: token.trim() })
            .then(onSignedIn)
            .catch((thrown: unknown) =>
              setProblem(thrown instanceof Refused ? thrown.message : "that failed"),
            );
        }}
      >
        <label for="token">Your token</label>
        <input
          id="token"
          type="password"
          autocomplete="current-password"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit">Sign in</button>
        <p role="alert" class="problem">
          {problem}
        </p>
        <p>
          <code>rota token add NAME</code> makes one.
        </p>
      </form>
    </main>
  );
}
