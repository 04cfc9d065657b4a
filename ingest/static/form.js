/* <frontdesk-form form="contact">: a contact form whose messages cannot get lost. One script tag, no framework, no request
   to anybody but the gateway that served this script. `lang` chooses the language, else the page's; the attribute `auto`
   follows the visitor's dark mode; colours and shapes are custom properties (--frontdesk-accent and others, form.css). */
const PAUSES = [1, 2, 4, 8, 15, 15, 15]; // seconds between tries
const TRY_FOR = 30_000;
const MOST_FILES = 10;
const MOST_BYTES = 25 * 2 ** 20;

class FrontdeskForm extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    this.start();
  }

  get address() {
    return `${home}/forms/${encodeURIComponent(this.getAttribute("form") || "contact")}`;
  }

  async start() {
    for (let tries = 0; ; tries += 1) {
      try {
        await this.define();
        break;
      } catch {
        await pause(PAUSES[Math.min(tries, PAUSES.length - 1)]);
      }
    }
    this.build();
    this.dispatchEvent(new CustomEvent("frontdesk-ready"));
  }

  /* What the form offers, its words, and a fresh submission id: one id, one message. */
  async define() {
    const wished = this.lang || this.closest("[lang]")?.lang || "";
    const answer = await fetch(`${this.address}/definition?lang=${encodeURIComponent(wished)}`, { credentials: "omit" });
    if (!answer.ok) throw new Error(`definition: ${answer.status}`);
    this.definition = await answer.json();
    this.shownAt = performance.now();
  }

  say(name) {
    return this.definition.texts[name] ?? "";
  }

  field(name, control, { wide = false, optional = true, hint = "" } = {}) {
    const id = `fd-${name}`;
    const mark = optional ? [" ", made("span", { class: "hint" }, this.say("optional"))] : [];
    for (const [key, value] of Object.entries({ id, name, "aria-describedby": `${id}-error${hint ? ` ${id}-hint` : ""}` })) {
      control.setAttribute(key, value);
    }
    if (!optional) control.required = true;
    control.addEventListener("blur", () => this.touched(control));
    control.addEventListener(control.type === "file" ? "change" : "input", () => this.mended(control));
    const held = control.localName === "select" ? made("div", { class: "select" }, control) : control;
    const box = made("div", wide ? { class: "wide" } : {}, made("label", { for: id }, this.say(name), ...mark), held);
    if (hint) box.append(made("p", { class: "hint", id: `${id}-hint` }, hint));
    box.append(made("p", { class: "error", id: `${id}-error`, "aria-live": "polite" }));
    return box;
  }

  build() {
    const { title, language, departments, categories } = this.definition;
    const input = (type, autocomplete, maxlength) => made("input", { type, autocomplete, maxlength });
    const options = (none, rows) => [made("option", { value: "" }, none), ...rows.map(([value, text]) => made("option", { value }, text))];
    this.department = made("select", {}, ...options(this.say("department_none"), departments.map((d) => [d.id, d.name])));
    this.category = made("select");
    const fill = () => {
      const picked = this.department.value;
      const fitting = categories.filter((c) => !picked || c.department === picked);
      const kept = this.category.value;
      this.category.replaceChildren(...options(this.say("category_none"), fitting.map((c) => [c.path, c.path.split("/").join(" › ")])));
      if (fitting.some((c) => c.path === kept)) this.category.value = kept;
      this.category.closest("div.choice")?.toggleAttribute("hidden", fitting.length === 0);
    };
    const choice = this.field("category", this.category);
    choice.classList.add("choice");
    this.department.addEventListener("change", fill);
    const extra = made("label", {}, this.say("website"), made("input", { name: "website", tabindex: "-1", autocomplete: "off" }));
    this.button = made("button", { type: "submit" }, this.say("send"));
    this.notice = made("p", { class: "notice", role: "status" });
    const files = made("input", { type: "file", multiple: true });
    this.form = made(
      "form",
      { novalidate: true, "aria-labelledby": "fd-title" },
      made(
        "div",
        { class: "fields" },
        this.field("name", input("text", "name", 200)),
        this.field("email", input("email", "email", 200), { optional: false }),
        ...(departments.length ? [this.field("department", this.department)] : []),
        choice,
        this.field("phone", input("tel", "tel", 40)),
        this.field("subject", input("text", "off", 500)),
        this.field("message", made("textarea", { rows: 7, maxlength: 20000 }), { wide: true, optional: false }),
        this.field("files", files, { wide: true, hint: this.say("files_hint") }),
        made("div", { class: "extra", "aria-hidden": "true" }, extra),
        made("div", { class: "wide" }, this.notice),
        made("div", { class: "wide" }, this.button),
      ),
    );
    fill();
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.body = made("div", { class: "card" });
    this.body.append(made("h2", { id: "fd-title" }, title), made("p", { class: "intro" }, this.say("intro")), this.form);
    const auto = this.hasAttribute("auto") ? " auto" : "";
    this.shadowRoot.replaceChildren(made("div", { class: `frontdesk${auto}`, lang: language, part: "form" }, this.body));
  }

  fault(control) {
    const value = control.value.trim();
    if (control.type === "file") {
      const chosen = [...control.files];
      if (chosen.length > MOST_FILES) return "too_many";
      return chosen.reduce((sum, file) => sum + file.size, 0) > MOST_BYTES ? "too_large" : "";
    }
    if (control.required && !value) return "missing";
    return control.name === "email" && value && !EMAIL.test(value) ? "invalid" : "";
  }

  mark(control, reason) {
    const text = reason ? this.say(`${control.name}_${reason}`) || this.say(reason) || this.say("invalid") : "";
    this.shadowRoot.getElementById(`${control.id}-error`).textContent = text;
    if (reason) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }

  touched(control) {
    // Who only walks past a field is not told off; who left something in it is.
    if (control.value.trim()) this.mark(control, this.fault(control));
  }

  mended(control) {
    if (control.type === "file" || control.hasAttribute("aria-invalid")) this.mark(control, this.fault(control));
  }

  tell(name, bad = false) {
    this.notice.textContent = name ? this.say(name) : "";
    this.notice.classList.toggle("bad", bad);
  }

  async submit() {
    if (this.busy) return;
    const controls = [...this.form.elements].filter((control) => control.id);
    for (const control of controls) this.mark(control, this.fault(control));
    const wrong = controls.find((control) => control.hasAttribute("aria-invalid"));
    if (wrong) {
      this.tell("check", true);
      wrong.focus();
      return;
    }
    this.work(true);
    try {
      await this.send();
    } finally {
      this.work(false);
    }
  }

  work(on) {
    this.busy = on;
    this.button.textContent = this.say(on ? "sending" : "send");
    // Still focusable, so that a keyboard does not lose its place. What is being sent must not change under way.
    this.button.setAttribute("aria-disabled", String(on));
    for (const control of this.form.elements) {
      if (control.id) control.disabled = on;
    }
    if (on) this.button.focus();
  }

  content() {
    const form = new FormData();
    for (const control of this.form.elements) {
      if (!control.name) continue;
      if (control.type === "file") for (const file of control.files) form.append("files", file, file.name);
      else if (control.value || control.name === "message") form.append(control.name, control.value);
    }
    form.append("locale", this.definition.language);
    form.append("page_url", location.href.slice(0, 2000));
    form.append("submission_id", this.definition.submission_id);
    return form;
  }

  async send() {
    this.tell("");
    const answer = await this.deliver(this.content());
    if (!answer) return this.tell("failed", true);
    if (answer.ok) return this.thank((await answer.json()).receipt);
    const problem = await answer.json().catch(() => ({}));
    if (problem.code === "idempotency_key_reused") {
      // An earlier try did arrive, and was edited since: what it says now is a message of its own.
      await this.define();
      const again = await this.deliver(this.content());
      return again?.ok ? this.thank((await again.json()).receipt) : this.tell("failed", true);
    }
    return this.correct(problem);
  }

  /* The answer, or null when none could be had. The same bytes and the same id each time: one message, however often. */
  async deliver(form) {
    const rest = this.definition.least_seconds - (performance.now() - this.shownAt) / 1000;
    if (rest > 0) await wait(rest);
    for (const seconds of [0, ...PAUSES]) {
      if (seconds) await pause(seconds);
      try {
        const answer = await fetch(`${this.address}/submissions`, {
          method: "POST",
          body: form,
          headers: { Accept: "application/json" },
          credentials: "omit",
          signal: AbortSignal.timeout(TRY_FOR + this.weight(form) / 10),
        });
        if (answer.status < 500 && answer.status !== 408 && answer.status !== 429) return answer;
      } catch {
        // No connection, or cut in the middle: whether it arrived, only another try can tell.
      }
      this.tell("retrying");
    }
    return null;
  }

  /* Bytes of the files: on a slow line (10 kB/s) they take their time. */
  weight(form) {
    return form.getAll("files").reduce((sum, file) => sum + file.size, 0);
  }

  correct(problem) {
    const refused = (problem.errors ?? []).map((error) => this.form.elements[error.field]).filter((control) => control?.id);
    this.tell(refused.length ? "check" : "failed", true);
    this.work(false);
    for (const control of refused) this.mark(control, problem.code);
    (refused[0] ?? this.button).focus();
  }

  thank(receipt) {
    const head = made("h2", { tabindex: "-1" }, this.say("thanks"));
    const again = made("button", { type: "button", class: "plain" }, this.say("again"));
    again.addEventListener("click", async () => {
      await this.start();
      this.form.elements.message.focus();
    });
    const number = made("p", { class: "receipt" }, this.say("receipt"), made("strong", {}, receipt));
    this.body.replaceChildren(
      made("div", { class: "done" }, made("div", { class: "mark" }), head, number, made("p", { class: "hint" }, this.say("receipt_hint")), again),
    );
    head.focus();
    this.dispatchEvent(new CustomEvent("frontdesk-sent", { bubbles: true, composed: true, detail: { receipt } }));
  }
}

if (!customElements.get("frontdesk-form")) customElements.define("frontdesk-form", FrontdeskForm);
// A tag that names its form stands for the form.
const named = script.dataset.form;
if (named) {
  const element = made("frontdesk-form", { form: named, lang: script.dataset.lang, auto: script.hasAttribute("data-auto") });
  script.after(element);
}
