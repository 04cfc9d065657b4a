/* <frontdesk-chat widget="chat">: a chat whose messages cannot get lost. One script tag, no framework, no request to anybody
   but the gateway that served this script. `lang` chooses the language, else the page's; `auto` follows the visitor's dark
   mode; `open` shows it opened; colours are custom properties (theme.css). The property `user` says who is signed in: an
   object, or a function that returns one or a promise of one, asked at every connection. */
const MOST_BYTES = 8192;
const BUBBLE = "M21 12a8 8 0 0 1-11.6 7.1L4 20l1-5A8 8 0 1 1 21 12Z";
const CROSS = "M6 6l12 12M18 6L6 18";
const ARROW = "M5 12h13M12 5l7 7-7 7";

const icon = (path) => {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const look = { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "2", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" };
  for (const [key, value] of Object.entries(look)) drawn.setAttribute(key, value);
  drawn.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  drawn.firstChild.setAttribute("d", path);
  return drawn;
};

class FrontdeskChat extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    this.words = new Words([this.lang, this.closest("[lang]")?.lang, ...(navigator.languages ?? [])]);
    const who = () => (typeof this.user === "function" ? this.user() : this.user);
    const about = () => ({ page: location.href.slice(0, 2000), locale: this.words.language });
    this.talk = new Talk(this.getAttribute("widget") || "chat", who, about, (kind, frame) => this.heard(kind, frame));
    this.lines = new Map(); // by the widget's own id, or by number
    this.build();
    for (const message of this.talk.pending) this.line(message.cid, { from: "visitor", text: message.text });
    if (this.hasAttribute("open")) this.show();
    else if (this.talk.token || this.talk.pending.length) this.talk.start();
    this.dispatchEvent(new CustomEvent("frontdesk-ready"));
  }

  build() {
    const button = (name, press, ...content) => {
      const made_ = made("button", { class: name, type: "button" }, ...content);
      made_.addEventListener("click", press);
      return made_;
    };
    this.badge = made("span", { class: "badge", hidden: true });
    this.launcher = button("launcher", () => this.show(), icon(BUBBLE), made("span", {}, this.words.say("title")), this.badge);
    this.ender = button("end", () => this.talk.send({ t: "end" }), this.words.say("end"));
    this.ender.hidden = true;
    const close = button("close", () => this.hide(), icon(CROSS));
    close.setAttribute("aria-label", this.words.say("close"));
    this.status = made("p", { class: "status", role: "status" });
    this.log = made("ol", { "aria-label": this.words.say("messages") });
    this.typing = made("p", { class: "typing" });
    this.notice = made("p", { class: "notice", role: "status" });
    this.rating = made("div", { hidden: true });
    const head = made("div", { class: "head" }, made("h2", { id: "fd-title" }, this.words.say("title")), this.ender, close);
    this.scroll = made("div", { class: "scroll", tabindex: "0", role: "log", "aria-label": this.words.say("messages") });
    this.scroll.append(made("p", { class: "intro" }, this.words.say("intro")), this.picker(), this.log, this.typing, this.notice, this.rating);
    this.panel = made("section", { class: "panel", role: "dialog", "aria-labelledby": "fd-title", hidden: true });
    this.panel.append(head, this.status, this.scroll, this.composer());
    this.panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.hide();
    });
    const auto = this.hasAttribute("auto") ? " auto" : "";
    this.shadowRoot.append(made("div", { class: `frontdesk${auto}`, lang: this.words.language, part: "chat" }, this.panel, this.launcher));
  }

  picker() {
    this.department = made("select", { id: "fd-department" });
    this.department.addEventListener("change", () => this.hours());
    const label = made("label", { for: "fd-department" }, this.words.say("department"));
    this.choice = made("div", { class: "choice", hidden: true }, label, made("div", { class: "select" }, this.department));
    return this.choice;
  }

  composer() {
    this.email = made("input", { id: "fd-email", type: "email", autocomplete: "email", maxlength: "200", "aria-describedby": "fd-wrong" });
    this.address = made("div", { class: "address", hidden: true }, made("label", { for: "fd-email" }, this.words.say("email")), this.email);
    this.text = made("textarea", { id: "fd-text", rows: "1", placeholder: this.words.say("message"), autocomplete: "off", "aria-describedby": "fd-wrong" });
    this.text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.write();
    });
    this.text.addEventListener("input", () => this.wrong(null, ""));
    this.fault = made("p", { class: "wrong", id: "fd-wrong", role: "alert" });
    const send = made("button", { class: "send", type: "submit", "aria-label": this.words.say("send") }, icon(ARROW));
    const label = made("label", { for: "fd-text", class: "unseen" }, this.words.say("message"));
    const form = made("form", { class: "composer", novalidate: true }, this.address, made("div", { class: "row" }, label, this.text, send), this.fault);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.write();
    });
    return form;
  }

  show() {
    this.toggleAttribute("open", true);
    this.panel.hidden = false;
    this.launcher.hidden = true;
    this.talk.start();
    this.seen();
    this.down();
    (this.choice.hidden ? this.text : this.department).focus();
  }

  hide() {
    this.toggleAttribute("open", false);
    this.panel.hidden = true;
    this.launcher.hidden = false;
    this.launcher.focus();
  }

  /* What comes ---------------------------------------------------------------------------------------------------- */

  heard(kind, frame) {
    const known = { welcome: "welcomed", changed: "forget", msg: "said", ack: "acknowledged", error: "refused", typing: "writes", ended: "finished", rated: "thanked", lost: "waits", denied: "waits" }[kind];
    if (known) this[known](frame, kind);
  }

  waits(_, kind) {
    this.status.textContent = this.words.say(kind === "denied" ? "denied" : this.standing ? "waiting" : "connecting");
    this.ender.hidden = true;
  }

  welcomed(frame) {
    this.status.textContent = "";
    this.standing = frame;
    this.ender.hidden = this.talk.seen === 0;
    this.offer(frame.departments);
    this.hours();
    if (this.rated) this.talk.send(this.rated);
  }

  forget() {
    this.lines.clear();
    this.log.replaceChildren();
    for (const message of this.talk.pending) this.line(message.cid, { from: "visitor", text: message.text });
  }

  said(frame) {
    const own = frame.from === "visitor";
    this.line(own ? frame.cid : `n${frame.seq}`, frame);
    if (own) this.state(frame.cid, "sent", frame.at);
    this.choice.hidden = true;
    this.ender.hidden = false;
    if (!own) this.typing.textContent = "";
    this.seen();
  }

  acknowledged(frame) {
    this.state(frame.cid, "sent");
    this.dispatchEvent(new CustomEvent("frontdesk-sent", { bubbles: true, composed: true, detail: { receipt: frame.id } }));
    if (frame.online === false) this.tell("stored", frame);
  }

  refused(frame) {
    if (frame.cid) this.state(frame.cid, frame.code === "too_long" ? "too_long" : "refused");
    if (frame.code === "no_session") this.thanked();
  }

  writes() {
    this.typing.textContent = this.words.say("typing", { name: this.words.say("agent") });
    clearTimeout(this.pausing);
    this.pausing = setTimeout(() => (this.typing.textContent = ""), 6000);
    this.down();
  }

  seen() {
    if (!this.panel.hidden) this.talk.seenAll();
    const unread = [...this.log.querySelectorAll("li.agent")].filter((item) => Number(item.dataset.seq) > this.talk.read).length;
    this.badge.hidden = unread === 0;
    this.badge.textContent = unread ? this.words.say("unread", { count: unread }) : "";
  }

  /* What the visitor writes --------------------------------------------------------------------------------------- */

  write() {
    const text = this.text.value.trim();
    const email = this.address.hidden ? "" : this.email.value.trim();
    if (!text) return this.text.focus();
    if (new TextEncoder().encode(text).length > MOST_BYTES) return this.wrong(this.text, "too_long");
    if (email && !EMAIL.test(email)) return this.wrong(this.email, "email_wrong");
    const message = { text };
    // Before the first message only: what follows belongs to the same conversation.
    if (!this.choice.hidden && this.department.value) message.department = this.department.value;
    if (email) message.email = email;
    this.wrong(null, "");
    this.text.value = "";
    for (const asked of [this.choice, this.address, this.rating]) asked.hidden = true;
    this.notice.textContent = "";
    this.line(this.talk.say(message), { from: "visitor", text });
    return this.talk.start();
  }

  wrong(control, reason) {
    this.fault.textContent = reason && this.words.say(reason);
    for (const one of [this.text, this.email]) one.toggleAttribute("aria-invalid", one === control);
    control?.focus();
  }

  /* One of the visitor's own is shown at once, and gets its place when its number comes. */
  line(key, { from, text, name, seq, at }) {
    let item = this.lines.get(key);
    if (!item) {
      const own = from === "visitor";
      item = made("li", { class: own ? "visitor" : "agent" }, made("p", { class: "who" }, own ? this.words.say("you") : name || this.words.say("agent")), made("p", { class: "text" }, text), made("p", { class: "state" }, own ? this.words.say("sending") : this.words.clock(at)));
      this.lines.set(key, item);
      this.log.append(item);
    }
    if (seq) {
      item.dataset.seq = seq;
      const next = [...this.log.children].find((other) => other !== item && !(Number(other.dataset.seq) < seq)) ?? null;
      if (item.nextSibling !== next) this.log.insertBefore(item, next);
    }
    this.down();
  }

  state(cid, name, at) {
    const item = this.lines.get(cid);
    if (!item) return;
    item.classList.toggle("failed", name !== "sent");
    item.querySelector(".state").textContent = [this.words.say(name), at && this.words.clock(at)].filter(Boolean).join(" · ");
  }

  down() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  /* Departments and hours ----------------------------------------------------------------------------------------- */

  tell(name, hours) {
    this.notice.textContent = this.words.until(name, hours);
    this.down();
  }

  offer(departments) {
    const picked = this.department.value;
    const named = (d) => (d.online ? d.name : `${d.name} (${this.words.say("closed")})`);
    const options = departments.map((d) => made("option", { value: d.id }, named(d)));
    this.department.replaceChildren(made("option", { value: "" }, this.words.say("anyone")), ...options);
    this.department.value = departments.some((d) => d.id === picked) ? picked : "";
    this.choice.hidden = this.log.childElementCount > 0 || departments.length < 2;
  }

  hours() {
    const picked = this.standing.departments.find((d) => d.id === this.department.value) ?? this.standing;
    this.address.hidden = picked.online || Boolean(this.user) || this.log.childElementCount > 0;
    if (picked.online) this.notice.textContent = "";
    else this.tell("offline", picked);
  }

  /* The end ------------------------------------------------------------------------------------------------------- */

  finished() {
    this.ender.hidden = true;
    this.notice.textContent = this.words.say("ended");
    const score = (value) => made("label", {}, made("input", { type: "radio", name: "score", value, required: true }), this.words.say(value));
    const comment = made("textarea", { id: "fd-comment", rows: "2", maxlength: "5000" });
    const scores = made("fieldset", {}, made("legend", {}, this.words.say("rate")), made("div", { class: "scores" }, score("positive"), score("negative")));
    const form = made("form", { class: "rating" }, scores, made("label", { for: "fd-comment" }, this.words.say("comment")), comment, made("button", { class: "main", type: "submit" }, this.words.say("rate_send")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      // Kept until it is counted: counted once, however often it is sent.
      this.rated = { t: "rate", score: new FormData(form).get("score"), comment: comment.value.trim() || null };
      this.talk.send(this.rated);
    });
    this.rating.replaceChildren(form);
    this.rating.hidden = false;
    this.down();
  }

  thanked() {
    this.rated = null;
    this.rating.hidden = true;
    this.notice.textContent = this.words.say("rated");
    this.text.focus();
  }
}

if (!customElements.get("frontdesk-chat")) customElements.define("frontdesk-chat", FrontdeskChat);
// A tag that names its widget stands for it, wherever it stands itself.
const named = script.dataset.widget;
if (named) {
  const { lang } = script.dataset;
  const element = made("frontdesk-chat", { widget: named, lang, auto: "auto" in script.dataset, open: "open" in script.dataset });
  if (document.body) document.body.append(element);
  else addEventListener("DOMContentLoaded", () => document.body.append(element));
}
