/** How the app is restarted. What does it, and proves it, is in the room `restart`. */
export type Restart =
  | { via: "command"; run: string; proof: RestartProof | undefined }
  | { via: "systemd"; unit: string }
  | GunicornRestart
  | UwsgiRestart
  | { via: "none" };

/** `workers` replaces them one by one, `surge` at once; each proves itself by the hook's state, or by a datagram alone. */
export interface GunicornRestart {
  via: "gunicorn";
  pidfile: string;
  how: "restart" | "hup" | "workers";
  surge: number;
  bootWithin: number;
  notice: "state" | "udp" | "none";
}

/** `workers` replaces them one by one, by HUP; `chain` has uWSGI do it; `reload` loads it anew as a whole. */
export interface UwsgiRestart {
  via: "uwsgi";
  /** A path, or HOST:PORT. */
  stats: string;
  fifo: string | undefined;
  touch: string | undefined;
  how: "workers" | "chain" | "reload";
  spare: boolean;
  bootWithin: number;
  notice: "state" | "none";
}

/** Another process in a pid file; or a field of the JSON of check.url, that is another than before, or this one. */
export type RestartProof = { pidfile: string } | { field: string; is: string | undefined };
