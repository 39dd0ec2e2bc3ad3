/** Enter in a field of the search searches; it does not send the form around it. */
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.closest("[data-search] input")) return;
  event.preventDefault();
  document.querySelector("[data-search-button]").click();
});
