/** The mark in the header: whether what is shown is kept up to date. */
const STALE_MILLISECONDS = 2_000;
const TEXTS = { live: "Live", reconnecting: "Reconnecting", offline: "Offline", off: "Reload to update" };

let stale;

/** As a state of TEXTS, or `logged-out`; `data-stale` on the body once it has not been live for a while. */
export function mark(state) {
  if (state === "live") {
    clearTimeout(stale);
    stale = undefined;
    delete document.body.dataset.stale;
  } else {
    stale ??= setTimeout(() => (document.body.dataset.stale = ""), STALE_MILLISECONDS);
  }
  for (const element of document.querySelectorAll("[data-live-mark]")) {
    if (element.dataset.state === state) continue;
    element.dataset.state = state;
    element.replaceChildren(state === "logged-out" ? linkToLogin() : TEXTS[state]);
  }
}

/** To this page, which asks for the login first. */
function linkToLogin() {
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = "Logged out: log in";
  return link;
}
