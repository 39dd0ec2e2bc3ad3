/** Buttons that ask first: data-opens names the <dialog> that holds the question and the form. */
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-opens]");
  const dialog = button && document.getElementById(button.dataset.opens);
  if (!dialog) return;
  event.preventDefault();
  dialog.showModal();
});
