/** The theme button: as the system has it, light, dark. A cookie, so that the server's first byte already knows. */
const THEMES = ["system", "light", "dark"];
const TEXTS = { system: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
const YEAR_SECONDS = 365 * 24 * 3600;

const root = document.documentElement;
const button = document.querySelector("[data-theme-button]");

function current() {
  return root.dataset.theme ?? "system";
}

function show() {
  for (const icon of button.querySelectorAll("[data-theme-icon]")) {
    icon.hidden = icon.dataset.themeIcon !== current();
  }
  button.querySelector("[data-theme-text]").textContent = TEXTS[current()];
  button.title = TEXTS[current()];
}

function choose(theme) {
  if (theme === "system") {
    delete root.dataset.theme;
  } else {
    root.dataset.theme = theme;
  }
  const age = theme === "system" ? 0 : YEAR_SECONDS;
  document.cookie = `theme=${theme}; path=/; max-age=${age}; samesite=lax`;
  show();
}

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => choose(THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length]));
  show();
}
