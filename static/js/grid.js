/**
 * Paints the grid of instances: a path an outcome, a line for every run of cells in a row ("M37 0h3").
 * The letters, their words and their order are those of audit/cells.py.
 */
const WORDS = {
  r: "refuted", u: "unproven", x: "not-sent", n: "no-answer", ".": "pending",
  s: "sent", a: "acknowledged", p: "present", c: "confirmed",
};
const WORST_FIRST = Object.keys(WORDS);
const SVG = "http://www.w3.org/2000/svg";
const waiting = new Map();

/** Paint again, with the next frame. `cells`: a letter an instance, in the order of the manifest. */
export function paint(svg, cells) {
  if (!waiting.size) requestAnimationFrame(paintWaiting);
  waiting.set(svg, cells);
}

/** How many cells there are of each word. */
export function count(cells) {
  const counts = Object.fromEntries(WORST_FIRST.map((letter) => [WORDS[letter], 0]));
  for (const letter of cells) counts[WORDS[letter]] += 1;
  return counts;
}

function paintWaiting() {
  for (const [svg, cells] of waiting) {
    const runs = runsOf(worstOf(cells, Number(svg.dataset.perCell)), Number(svg.dataset.columns));
    for (const letter of WORST_FIRST) draw(svg, "outcome", WORDS[letter], runs[letter]);
    draw(svg, "hole", "hole", runs.r);
  }
  waiting.clear();
}

function worstOf(cells, perCell) {
  if (perCell === 1) return cells;
  let worst = "";
  for (let first = 0; first < cells.length; first += perCell) {
    const within = cells.slice(first, first + perCell);
    worst += WORST_FIRST.find((letter) => within.includes(letter));
  }
  return worst;
}

function runsOf(cells, columns) {
  const runs = Object.fromEntries(WORST_FIRST.map((letter) => [letter, ""]));
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

function draw(svg, kind, word, runs) {
  let path = svg.querySelector(kind === "hole" ? "[data-hole]" : `[data-outcome="${word}"]`);
  if (!path) {
    if (!runs) return;
    path = svg.appendChild(document.createElementNS(SVG, "path"));
    path.setAttribute("class", `cell cell--${word}`);
    path.dataset[kind] = kind === "hole" ? "" : word;
  }
  if (path.getAttribute("d") !== runs) path.setAttribute("d", runs);
}
