/** Writes what live.js was told into the page: numbers, bars, progress, and the texts of what goes on. */
import { count, paint } from "./grid.js";

const numbers = new Intl.NumberFormat(document.documentElement.lang);
const DONE = { sending: "sent", verifying: "checked" };

/** Into what shows this transfer: a row of the list, or the page. */
export function patchTransfer(told) {
  for (const place of document.querySelectorAll(`[data-transfer="${told.id}"]`)) {
    place.dataset.revision = told.revision;
    if (told.progress) patchProgress(place, told.progress);
  }
  if (told.funnel) patchCounts(told.funnel);
}

/** Into every place for a number that has one of these names. */
export function patchCounts(counts) {
  for (const element of document.querySelectorAll("[data-count]")) {
    if (element.dataset.count in counts) element.textContent = numbers.format(counts[element.dataset.count]);
  }
  for (const bar of document.querySelectorAll("[data-bar]")) {
    const share = counts[bar.dataset.bar] / Math.max(1, Number(bar.dataset.of));
    if (share >= 0) bar.setAttribute("width", Math.round(share * 1000));
  }
}

export function patchCells(cells) {
  for (const svg of document.querySelectorAll("[data-grid]")) paint(svg, cells);
  const counts = count(cells);
  for (const element of document.querySelectorAll("[data-cells]")) {
    const instances = counts[element.dataset.cells];
    element.textContent = numbers.format(instances);
    element.closest("li").hidden = instances === 0;
  }
}

function patchProgress(place, { phase, done, total, instances_per_second: speed, seconds_left: left }) {
  for (const bar of place.querySelectorAll("[data-progress]")) {
    bar.max = Math.max(1, total);
    if (phase in DONE) bar.value = done;
  }
  const pace = [];
  if (speed > 0 && phase === "sending") pace.push(`${numbers.format(speed < 10 ? speed : Math.round(speed))}/s`);
  if (left !== null) pace.push(`${duration(left)} left`);
  write(place, "detail", pace.join(" · "));
  if (phase in DONE) {
    const far = `${numbers.format(done)} of ${numbers.format(total)} ${DONE[phase]}`;
    write(place, "progress-text", [far, ...pace].join(" · "));
  }
}

function write(place, name, text) {
  for (const element of place.querySelectorAll(`[data-live="${name}"]`)) element.textContent = text;
}

function duration(seconds) {
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
