/** Times come in UTC; shown are those of the reader's own zone, with the full moment as a tooltip. */
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const day = { day: "numeric", month: "short" };
const FORMS = {
  time: { ...clock, second: "2-digit" },
  minute: clock,
  day: { ...day, year: "numeric" },
  moment: { ...day, ...clock, second: "2-digit" },
};
const formats = Object.fromEntries(
  Object.entries(FORMS).map(([form, options]) => [form, new Intl.DateTimeFormat("en-GB", options)]),
);

function localize(within) {
  for (const element of within.querySelectorAll("time[data-form]")) {
    const at = new Date(element.dateTime);
    element.textContent = formats[element.dataset.form].format(at).replace(",", "");
    element.title = `${element.dateTime.slice(0, 19).replace("T", " ")} UTC`;
  }
}

localize(document);
document.addEventListener("htmx:load", (event) => localize(event.target.parentElement ?? document));
for (const element of document.querySelectorAll("[data-zone]")) {
  element.textContent = zone;
}
