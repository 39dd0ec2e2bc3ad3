/** Buttons that copy what data-copy says. Browsers offer the clipboard over https and on localhost only. */
const SHOWN_MILLISECONDS = 1500;

function reveal(within) {
  if (!navigator.clipboard) return;
  for (const button of within.querySelectorAll("[data-copy][hidden]")) {
    button.hidden = false;
  }
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  const said = document.createElement("span");
  said.role = "status";
  said.textContent = "Copied";
  button.after(said);
  setTimeout(() => said.remove(), SHOWN_MILLISECONDS);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

reveal(document);
document.addEventListener("htmx:load", (event) => reveal(event.target.parentElement ?? document));
