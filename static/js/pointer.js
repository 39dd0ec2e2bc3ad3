/**
 * A pointer over a cell of the grid says below it which instance that is, and a click shows it in the table of
 * instances, which is also the way without a pointer.
 */
/** What is painted under a pointer: the word, and the first and last instance, from 1; or nothing. */
function pointedAt(svg, event) {
  const box = svg.getBoundingClientRect();
  const [columns, perCell] = [Number(svg.dataset.columns), Number(svg.dataset.perCell)];
  const [x, y] = [event.clientX - box.left, event.clientY - box.top].map((at) => Math.floor((at * columns) / box.width));
  const first = (y * columns + x) * perCell;
  for (const path of svg.querySelectorAll("[data-outcome]")) {
    for (const [, start, row, length] of path.getAttribute("d").matchAll(/M(\d+) (\d+)h(\d+)/g)) {
      const isHere = Number(row) === y && x >= Number(start) && x < Number(start) + Number(length);
      const last = Math.min(Number(svg.dataset.instances), first + perCell);
      if (isHere) return { word: path.dataset.outcome.replace("-", " "), first: first + 1, last };
    }
  }
  return null;
}

let said = null;

function say(svg, text) {
  const place = svg.parentElement.querySelector("[data-grid-said]");
  if (said?.place !== place) said = { place, before: place.textContent };
  place.textContent = text;
}

function unsay() {
  if (said) said.place.textContent = said.before;
  said = null;
}

document.addEventListener("pointermove", (event) => {
  const svg = event.target.closest?.("[data-grid]");
  const found = svg && pointedAt(svg, event);
  if (!found) return unsay();
  const { word, first, last } = found;
  say(svg, first === last ? `Instance ${first}: ${word}` : `Instances ${first} to ${last}: the worst is ${word}`);
});

document.addEventListener("click", (event) => {
  const svg = event.target.closest?.("[data-grid][data-opens-at]");
  const found = svg && pointedAt(svg, event);
  if (found) location.assign(`${svg.dataset.opensAt}${found.first}#instances`);
});
