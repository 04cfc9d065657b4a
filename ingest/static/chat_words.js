/* What the chat says, in one of its languages. */
const FAR = 6 * 86_400_000; // days for which the weekday alone says enough
const ALIASES = { no: "nb", nn: "nb" };

class Words {
  /* `wishes`: language tags, the most wanted first. */
  constructor(wishes) {
    const names = wishes.map((wish) => (wish || "").toLowerCase().split("-")[0]).map((name) => ALIASES[name] ?? name);
    this.language = names.find((name) => name in TEXTS) ?? "en";
  }

  say(name, values = {}) {
    return (TEXTS[this.language][name] ?? "").replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
  }

  /* With the next opening, where there is one. */
  until(name, { opens, zone }) {
    return opens ? this.say(`${name}_until`, { when: this.when(new Date(opens), zone) }) : this.say(name);
  }

  clock(at) {
    return this.format(new Date(at), {});
  }

  /* In the department's zone, which is named where it is not the visitor's. */
  when(at, zone) {
    const day = at - Date.now() > FAR ? { weekday: "long", day: "numeric", month: "long" } : { weekday: "long" };
    const there = this.format(at, { ...day, timeZone: zone });
    return there === this.format(at, day) ? there : this.format(at, { ...day, timeZone: zone, timeZoneName: "short" });
  }

  format(at, how) {
    return new Intl.DateTimeFormat(this.language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...how }).format(at);
  }
}
