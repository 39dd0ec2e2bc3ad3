/**
 * Keeps a page up to date: it opens the websocket that the body names (data-live-socket), writes numbers as they are
 * told, and has htmx fetch the fragments whose words change ("live:…" on the body). docs/websocket.md has the messages.
 */
import { mark } from "./mark.js";
import { patchCells, patchCounts, patchTransfer } from "./patch.js";

const FRAGMENTS = ["summary", "grid", "instances", "timeline", "attempts", "list"];
const [LOGGED_OUT, NOT_FOUND] = [4401, 4404];
const RETRY_MILLISECONDS = { first: 500, longest: 10_000 };

const body = document.body;
const latest = new Map();
const fetching = new Set();
let socket, revision, retry, events;
let [cells, failures, isShown] = ["", 0, false];

function connect() {
  clearTimeout(retry);
  socket?.close();
  const address = new URL(body.dataset.liveSocket, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  if (revision !== undefined) address.searchParams.set("since", revision);
  const own = (socket = new WebSocket(address));
  own.addEventListener("message", (event) => own === socket && hear(JSON.parse(event.data)));
  own.addEventListener("close", (event) => own === socket && lose(event.code));
}

function lose(code) {
  socket?.close();
  socket = undefined;
  if (code === LOGGED_OUT) return mark("logged-out");
  if (code === NOT_FOUND) return mark("off");
  mark(navigator.onLine ? "reconnecting" : "offline");
  const wait = Math.min(RETRY_MILLISECONDS.longest, RETRY_MILLISECONDS.first * 2 ** failures);
  failures += 1;
  retry = setTimeout(connect, wait * (0.5 + Math.random() / 2));
}

function hear(told) {
  if (told.type === "ended") return;
  if (told.previous > revision) {
    revision = undefined;
    return connect();
  }
  const isAgain = isShown && told.type.endsWith(".snapshot");
  isShown = true;
  revision = told.revision;
  failures = 0;
  mark("live");
  const hasNews = told.type.startsWith("transfers.") ? hearList(told) : hearTransfer(told);
  if (hasNews || isAgain) FRAGMENTS.forEach(fetchAgain);
}

function hearTransfer(told) {
  const hasNews = isNews(told);
  if (events !== undefined && events !== told.events) fetchAgain("timeline");
  events = told.events;
  cells = typeof told.cells === "string" ? told.cells : told.cells.reduce(replaceCells, cells);
  patchTransfer(told);
  patchCells(cells);
  return hasNews;
}

function hearList(told) {
  const hasNews = told.transfers.filter(isNews).length > 0;
  told.transfers.forEach(patchTransfer);
  patchCounts({ ...told.totals, running: told.totals.running + told.totals.queued });
  const news = document.querySelector("[data-live-news]");
  if (news && told.created?.length) news.hidden = false;
  return hasNews;
}

/** Whether words on this page are out of date: it shows the transfer, in another state or with another verdict. */
function isNews(told) {
  const before = latest.get(told.id);
  const shown = document.querySelector(`[data-transfer="${told.id}"]`);
  if (!shown) return latest.delete(told.id) && false;
  latest.set(told.id, told);
  if (!before) return told.revision > Number(shown.dataset.revision);
  return before.state !== told.state || before.verdict !== told.verdict;
}

function replaceCells(before, [first, run]) {
  return before.slice(0, first) + run + before.slice(first + run.length);
}

/** What was fetched knows neither the speed nor what came since. */
function patchAgain() {
  latest.forEach(patchTransfer);
  if (cells) patchCells(cells);
}

/** Soon, once however often it is asked for, and not from every browser at the same moment. */
function fetchAgain(fragment) {
  if (fetching.has(fragment)) return;
  fetching.add(fragment);
  const wait = fragment === "list" ? 500 + 500 * Math.random() : 100;
  setTimeout(() => {
    fetching.delete(fragment);
    // What is on its way may be older, and htmx asks nothing more for an element that it is about to replace.
    if (document.querySelector(`[hx-trigger*="live:${fragment}"].htmx-request`)) return fetchAgain(fragment);
    body.dispatchEvent(new CustomEvent(`live:${fragment}`));
  }, wait);
}

if (body.dataset.liveSocket) {
  window.addEventListener("online", connect);
  window.addEventListener("offline", () => lose(0));
  document.addEventListener("htmx:afterSettle", patchAgain);
  connect();
}
