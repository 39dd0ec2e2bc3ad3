/** Files that people choose or drop, with their paths within a folder: lists of {name, file}. */

/** Tell `taken` of what is chosen or dropped in a drop zone, and whether something is held above it. */
export function listen(zone, taken) {
  for (const input of zone.querySelectorAll("[type=file]")) {
    input.addEventListener("change", () => {
      taken([...input.files].map((file) => ({ name: file.webkitRelativePath || file.name, file })));
      input.value = "";
    });
  }
  for (const choice of zone.querySelectorAll("[data-folder-choice]")) choice.hidden = false;
  zone.dataset.ready = "";
  const over = (is) => zone.toggleAttribute("data-over", is);
  zone.addEventListener("dragover", (event) => event.preventDefault(over(true)));
  zone.addEventListener("dragleave", () => over(false));
  zone.addEventListener("drop", async (event) => {
    event.preventDefault(over(false));
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    taken((await Promise.all(entries.map(filesIn))).flat());
  });
}

/** How to call what was chosen in one go: "study.zip", "CT: 412 files", "3 files". */
export function labelOf(files) {
  const [{ name }] = files;
  if (files.length === 1) return name;
  const count = `${new Intl.NumberFormat("en").format(files.length)} files`;
  return name.includes("/") ? `${name.split("/")[0]}: ${count}` : count;
}

async function filesIn(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ name: entry.fullPath.slice(1), file }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at most
    if (!some.length) return found;
    for (const each of some) found.push(...(await filesIn(each)));
  }
}
