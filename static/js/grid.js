/**
 * The grid of instances: a path an outcome, a line for every run of cells in a row ("M37 0h3").
 * live.js hands over outcomes; a pointer over a cell says which instance it is, a click shows it in the table.
 */
const WORST_FIRST = ["refuted", "unproven", "pending", "sent", "acknowledged", "present", "confirmed"];
const SVG = "http://www.w3.org/2000/svg";

/** Paint again. `outcomes`: the word of each instance, in manifest order. */
export function paint(svg, outcomes) {
  const runs = runsOf(cellsOf(outcomes, Number(svg.dataset.perCell)), Number(svg.dataset.columns));
  for (const outcome of WORST_FIRST) {
    draw(svg, `[data-outcome="${outcome}"]`, `cell cell--${outcome}`, runs[outcome]);
  }
  draw(svg, "[data-hole]", "cell cell--hole", runs.refuted);
}

/** The word of each cell, as painted. */
export function read(svg) {
  const cells = [];
  for (const path of svg.querySelectorAll("[data-outcome]")) {
    for (const [, x, y, length] of path.getAttribute("d").matchAll(/M(\d+) (\d+)h(\d+)/g)) {
      const first = Number(y) * Number(svg.dataset.columns) + Number(x);
      cells.length = Math.max(cells.length, first + Number(length));
      cells.fill(path.dataset.outcome, first, first + Number(length));
    }
  }
  return cells;
}

function cellsOf(outcomes, perCell) {
  if (perCell === 1) return outcomes;
  const cells = [];
  for (let first = 0; first < outcomes.length; first += perCell) {
    const within = outcomes.slice(first, first + perCell);
    cells.push(WORST_FIRST.find((outcome) => within.includes(outcome)));
  }
  return cells;
}

function runsOf(cells, columns) {
  const runs = Object.fromEntries(WORST_FIRST.map((outcome) => [outcome, ""]));
  for (let start = 0; start < cells.length; ) {
    const row = Math.floor(start / columns);
    const rowEnd = Math.min(cells.length, (row + 1) * columns);
    let end = start + 1;
    while (end < rowEnd && cells[end] === cells[start]) end += 1;
    runs[cells[start]] += `M${start % columns} ${row}h${end - start}`;
    start = end;
  }
  return runs;
}

function draw(svg, selector, className, runs) {
  let path = svg.querySelector(selector);
  if (!path) {
    if (!runs) return;
    path = svg.appendChild(document.createElementNS(SVG, "path"));
    path.setAttribute("class", className);
    path.setAttribute(...selector.slice(1, -1).replaceAll('"', "").concat("=").split("=", 2));
  }
  if (path.getAttribute("d") !== runs) path.setAttribute("d", runs);
}

function cellAt(svg, event) {
  const box = svg.getBoundingClientRect();
  const columns = Number(svg.dataset.columns);
  const size = box.width / columns;
  return Math.floor((event.clientY - box.top) / size) * columns + Math.floor((event.clientX - box.left) / size);
}

function instancesOf(svg, cell) {
  const perCell = Number(svg.dataset.perCell);
  const last = Math.min(Number(svg.dataset.instances), (cell + 1) * perCell);
  return { first: cell * perCell + 1, last };
}

let pointed = null;

function say(svg, text) {
  const said = svg.parentElement.querySelector("[data-grid-said]");
  pointed ??= { said, before: said.textContent };
  said.textContent = text;
}

function unsay() {
  if (pointed) pointed.said.textContent = pointed.before;
  pointed = null;
}

document.addEventListener("pointermove", (event) => {
  const svg = event.target.closest?.("[data-grid]");
  const cell = svg ? cellAt(svg, event) : -1;
  const outcome = svg ? read(svg)[cell] : undefined;
  if (!outcome) return unsay();
  const { first, last } = instancesOf(svg, cell);
  say(svg, first === last ? `Instance ${first}: ${outcome}` : `Instances ${first} to ${last}: the worst is ${outcome}`);
});

document.addEventListener("click", (event) => {
  const svg = event.target.closest?.("[data-grid][data-opens-at]");
  if (svg && read(svg)[cellAt(svg, event)]) {
    location.assign(`${svg.dataset.opensAt}${instancesOf(svg, cellAt(svg, event)).first}#instances`);
  }
});
