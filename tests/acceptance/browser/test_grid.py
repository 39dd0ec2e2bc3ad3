"""The grid as the browser paints it is the grid as the server draws it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from transfers.grid import count, draw

SCRIPTS = Path(__file__).parents[3] / "static" / "js"
ADDRESS = "http://grid.invalid/"
PAGE = "<section><svg data-grid></svg></section>"
PAINT = """async ([cells, columns, perCell]) => {
  const { count, paint } = await import("/grid.js");
  const svg = document.querySelector("[data-grid]");
  Object.assign(svg.dataset, { columns, perCell });
  paint(svg, cells);
  await new Promise(requestAnimationFrame);
  const paths = [...svg.querySelectorAll("path")].filter((path) => path.getAttribute("d"));
  return { paths: paths.map((path) => [path.dataset.outcome ?? "hole", path.getAttribute("d")]), counts: count(cells) };
}"""


def answer(route: Route) -> None:
    """From the folder of the scripts; nothing goes over the network."""
    script = SCRIPTS / route.request.url.removeprefix(ADDRESS)
    if script.suffix == ".js":
        route.fulfill(content_type="text/javascript", body=script.read_text(encoding="utf-8"))
    else:
        route.fulfill(content_type="text/html", body=PAGE)


@pytest.fixture
def grid_page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    page.route("**/*", answer)
    page.goto(ADDRESS)
    yield page
    page.close()


def test_the_browser_paints_what_the_server_draws_and_paints_it_again(grid_page: Page) -> None:
    for cells in ("ccc.r" * 40, "sax.npu" * 60, "c" * 9_000 + "r" * 500 + "a" * 501, "c" * 200):
        grid = draw(cells)

        painted = grid_page.evaluate(PAINT, [cells, grid.columns, grid.per_cell])

        holes = [["hole", path.d] for path in grid.paths if path.outcome == "refuted"]
        assert sorted(painted["paths"]) == sorted([[path.outcome, path.d] for path in grid.paths] + holes)
        assert painted["counts"] == count(cells)
