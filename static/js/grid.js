/** The grid of instances: painted from a list of outcomes, a path an outcome, a line for every run in a row. */
const WORST_FIRST = ["refuted", "unproven", "pending", "sent", "acknowledged", "present", "confirmed"];

/** Paint again. `outcomes`: the word of each instance, in manifest order. */
export function paint(svg, outcomes) {
  const columns = Number(svg.dataset.columns);
  const paths = pathsOf(cellsOf(outcomes, Number(svg.dataset.perCell)), columns);
  for (const outcome of WORST_FIRST) {
    pathFor(svg, outcome).setAttribute("d", (paths.get(outcome) ?? []).join(""));
  }
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

function pathsOf(cells, columns) {
  const paths = new Map();
  for (let start = 0; start < cells.length; ) {
    const rowEnd = Math.min(cells.length, (Math.floor(start / columns) + 1) * columns);
    let end = start + 1;
    while (end < rowEnd && cells[end] === cells[start]) end += 1;
    const run = `M${start % columns} ${Math.floor(start / columns)}h${end - start}`;
    paths.set(cells[start], [...(paths.get(cells[start]) ?? []), run]);
    start = end;
  }
  return paths;
}

function pathFor(svg, outcome) {
  const found = svg.querySelector(`[data-outcome="${outcome}"]`);
  if (found) return found;
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("class", `cell cell--${outcome}`);
  path.dataset.outcome = outcome;
  return svg.appendChild(path);
}
