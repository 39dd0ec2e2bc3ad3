/** How far something is, how fast, and how long it takes still, in words. */
const UNITS = ["B", "KB", "MB", "GB", "TB"];
const LOOKS_BACK_MILLISECONDS = 5000;
const KNOWN_AFTER_MILLISECONDS = 1000;

/** In powers of a thousand: "3.6 MB". */
export function amountText(bytes) {
  let [size, unit] = [bytes, 0];
  while (size >= 999.95 && unit < UNITS.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${unit ? size.toFixed(1) : size}\u00a0${UNITS[unit]}`;
}

export class Pace {
  #seen = [];

  constructor(total) {
    this.total = total;
  }

  /** "12.0 MB of 96.0 MB · 8.2 MB/s · 10 s left", by what happened in the last seconds. */
  textAt(done, now = performance.now()) {
    this.#seen = [...this.#seen.filter(([at, seen]) => at > now - LOOKS_BACK_MILLISECONDS && seen <= done), [now, done]];
    const far = this.#farText(done);
    const [[since, before]] = this.#seen;
    const rate = (1000 * (done - before)) / (now - since);
    if (now - since < KNOWN_AFTER_MILLISECONDS || !rate) return far;
    return `${far} · ${amountText(Math.round(rate))}/s · ${timeText((this.total - done) / rate)} left`;
  }

  /** "12.0 MB of 96.0 MB", while it stands still: what happened before says nothing of what comes. */
  standing(done) {
    this.#seen = [];
    return this.#farText(done);
  }

  #farText(done) {
    return `${amountText(done)} of ${amountText(this.total)}`;
  }
}

function timeText(seconds) {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole}\u00a0s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}\u00a0min ${whole % 60}\u00a0s` : `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
}
