/** Menus are <details>: they also close by Escape and by a click elsewhere. */
function openMenus() {
  return document.querySelectorAll("[data-menu][open]");
}

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) {
    menu.open = menu.contains(event.target);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
