/* The chat's line to the gateway, without a face. What the visitor wrote is kept in the browser's storage, each message by
   itself, so that tabs do not overwrite each other's, and is given up only when the gateway has it. One message is under way
   at a time: so they arrive in the order they were written, however often the line breaks. */
const PAUSES = [0.5, 1, 2, 4, 8, 15]; // seconds between tries
const SILENT = 60_000; // the gateway gives a sign of life every 25 s
const ANSWER = 20_000; // a line on which no answer comes is a dead one
const UNAUTHORIZED = 4401;

/* Storage may be forbidden: then everything lasts as long as the page. */
const stored = {
  read(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  },
  write(key, value) {
    try {
      if (value === null) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(value));
    } catch {
      /* nothing to be done */
    }
  },
  keys() {
    try {
      return Object.keys(localStorage);
    } catch {
      return [];
    }
  },
};

class Talk {
  /* `who`: who is signed in, asked at every connection; `about`: what else a hello tells; `hear(kind, frame)`: gets every
     frame, and what becomes of the line (`lost`, `denied`). */
  constructor(widget, who, about, hear) {
    this.address = `${home.replace(/^http/, "ws")}/chat/ws?widget=${encodeURIComponent(widget)}`;
    this.place = `frontdesk-chat ${home} ${widget}`;
    this.who = who;
    this.about = about;
    this.hear = hear;
    this.seen = 0; // the number of the last line that came
    this.tries = 0;
    const { token = null, conversation = null, read = 0 } = stored.read(this.place) ?? {};
    Object.assign(this, { token, conversation, read });
    this.pending = this.left();
  }

  /* Messages that nobody has acknowledged, of earlier pages too, in the order they were written. */
  left() {
    const own = `${this.place} `;
    const keys = stored.keys().filter((key) => key.startsWith(own));
    return keys.sort().map((key) => stored.read(key)).filter(Boolean);
  }

  keep() {
    const { token, conversation, read } = this;
    stored.write(this.place, { token, conversation, read });
  }

  /* From now on there is a line, or tries to get one. */
  async start() {
    if (this.running) return;
    this.running = true;
    while (this.running) {
      const code = await this.visit();
      this.greeted = false;
      this.awaited = null;
      this.running = code !== UNAUTHORIZED;
      this.hear(this.running ? "lost" : "denied");
      const seconds = PAUSES[Math.min(this.tries, PAUSES.length - 1)];
      this.tries += 1;
      if (this.running) await pause(seconds * (0.5 + Math.random()));
    }
  }

  /* One connection, until it is gone: the code it closed with. */
  async visit() {
    const user = await this.user();
    if (this.token || !navigator.locks) return this.connected(user).gone;
    // Two tabs that come at once are one visitor: the second waits for what the first is given.
    const line = await navigator.locks.request(this.place, async () => {
      const { token = null, conversation = null } = stored.read(this.place) ?? {};
      Object.assign(this, { token, conversation });
      const opened = this.connected(user);
      await Promise.race([opened.greeted, opened.gone]);
      return { gone: opened.gone };
    });
    return line.gone;
  }

  async user() {
    try {
      return (await this.who()) ?? null;
    } catch {
      return null;
    }
  }

  connected(user) {
    const socket = new WebSocket(this.address);
    this.socket = socket;
    const greeted = new Promise((resolve) => (this.greet = resolve));
    const gone = new Promise((resolve) => {
      // A line that died without a word is given up here: to close it would take a while.
      this.over = () => {
        resolve(0);
        socket.close();
      };
      socket.addEventListener("close", (event) => resolve(event.code));
    });
    gone.then(() => clearTimeout(this.silence));
    this.alive();
    socket.addEventListener("open", () => {
      const first = this.token ? { t: "resume", token: this.token, after_seq: this.seen } : { t: "hello", v: 1 };
      this.send({ ...first, user, ...this.about() });
    });
    socket.addEventListener("message", (event) => {
      if (this.socket !== socket) return;
      this.alive();
      this.heard(JSON.parse(event.data));
    });
    return { greeted, gone };
  }

  alive() {
    clearTimeout(this.silence);
    this.silence = setTimeout(this.over, SILENT);
  }

  send(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  heard(frame) {
    if (frame.t === "ping") this.send({ t: "pong" });
    if (frame.t === "welcome") this.welcomed(frame);
    if (frame.t === "msg") this.seen = Math.max(this.seen, frame.seq);
    if (frame.t === "ack" || (frame.t === "msg" && frame.from === "visitor")) this.safe(frame.cid);
    if (frame.t === "error") this.refused(frame);
    else this.hear(frame.t, frame);
  }

  welcomed(frame) {
    this.greeted = true;
    this.tries = 0;
    if (this.conversation && this.conversation !== frame.conversation) this.changed(frame);
    Object.assign(this, { conversation: frame.conversation, token: frame.token });
    this.keep();
    this.greet();
    this.flush();
  }

  /* Somebody else is there now: what the one before has written is not theirs. Who has just logged in is the same. */
  changed({ conversation, visitor }) {
    this.seen = 0;
    this.read = 0;
    if (!this.conversation.startsWith(`${visitor}.`)) for (const { cid } of this.pending) stored.write(`${this.place} ${cid}`, null);
    this.pending = this.left();
    this.hear("changed", { conversation });
  }

  /* A message of the visitor's: kept until the gateway has it. Returns its id. */
  say(message) {
    // In the order of time, so that another page finds them in theirs.
    this.written = Math.max(Date.now(), (this.written ?? 0) + 1);
    const noise = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const frame = { t: "msg", cid: `${this.written.toString(36).padStart(9, "0")}-${noise}`, ...message };
    this.pending.push(frame);
    stored.write(`${this.place} ${frame.cid}`, frame);
    this.flush();
    return frame.cid;
  }

  flush() {
    const [next] = this.pending;
    if (!next || !this.greeted || this.awaited === next.cid) return;
    this.awaited = next.cid;
    this.send(next);
    clearTimeout(this.late);
    this.late = setTimeout(() => this.awaited === next.cid && this.over(), ANSWER);
  }

  safe(cid) {
    this.pending = this.pending.filter((message) => message.cid !== cid);
    stored.write(`${this.place} ${cid}`, null);
    this.flush();
  }

  async refused(frame) {
    if (frame.cid && frame.retry_after) {
      clearTimeout(this.late);
      await wait(frame.retry_after);
      if (this.awaited === frame.cid) this.awaited = null;
      this.flush();
    } else {
      if (frame.cid) this.safe(frame.cid);
      this.hear("error", frame);
    }
  }

  /* The visitor has seen everything. */
  seenAll() {
    if (this.seen <= this.read) return;
    this.read = this.seen;
    this.keep();
    if (this.greeted) this.send({ t: "read", seq: this.seen });
  }
}
