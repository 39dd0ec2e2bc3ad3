/**
 * The form of a new transfer: files, folders and ZIP files are sent in parts first (several files as ZIP files that are
 * made on the way), and then the form itself is sent with the ids of these uploads.
 */
import { labelOf, listen } from "./choosing.js";
import { amountText, Pace } from "./pace.js";
import { Sending, UploadFailed } from "./sending.js";
import { deal, isTooLarge, piecesOf, sizeOf } from "./zip.js";

const CANCELLED = "The upload was cancelled. Nothing of it is kept.";
const LOST = "The connection is lost. The upload goes on by itself once it is back.";
const UNREADABLE = "A file could not be read, or changed since it was chosen. Choose it again.";
const BOTH = "Give files or a folder on the server, one of the two.";
const NOT_FILES = "Give studies of a source or files, one of the two.";

const form = document.querySelector("[data-upload-form][data-uploads-url]");
const find = (hook, within = document) => within.querySelector(`[data-${hook}]`);
/** What was chosen, each time a list of {name, file}. */
let chosen = [];
/** While something is sent: {controller, sendings}. */
let work = null;

function choose(files) {
  if (!files.length || work) return;
  chosen.push(files);
  say();
  list();
}

function list() {
  show(chosen.map((files) => {
    const size = files.reduce((sum, { file }) => sum + file.size, 0);
    return row(labelOf(files), amountText(size), () => {
      chosen = chosen.filter((other) => other !== files);
      list();
    });
  }));
}

function show(rows) {
  find("uploads").querySelectorAll("[data-upload]").forEach((each) => each.remove());
  find("uploads").append(...rows);
}

function row(name, amount, remove = null) {
  const made = find("upload-template").content.firstElementChild.cloneNode(true);
  find("upload-name", made).textContent = name;
  find("upload-amount", made).textContent = amount;
  find("upload-progress", made).hidden = Boolean(remove);
  find("upload-progress", made).ariaLabel = `Upload of ${name}`;
  const button = find("upload-remove", made);
  button.hidden = !remove;
  button.onclick = remove;
  button.querySelector(".visually-hidden").textContent = `Remove ${name}`;
  return made;
}

/** Say something above the list; nothing: take back what was said. */
function say(text = "", tone = "error") {
  const said = find("upload-said");
  if (said.textContent.trim() === text) return;
  said.replaceChildren();
  if (!text) return;
  const notice = document.querySelector(`[data-upload-notice="${tone}"]`).content.firstElementChild.cloneNode(true);
  notice.querySelector("p").textContent = text;
  said.append(notice);
}

/** A file that is a ZIP file, or alone, or too large for one, goes as it is; all others go in ZIP files of ours. */
function planned(files) {
  const isWhole = ({ name, file }) => files.length === 1 || /\.zip$/i.test(name) || isTooLarge(file);
  const whole = files.filter(isWhole).map(({ name, file }) => ({ name, size: file.size, pieces: [file] }));
  const archives = deal(files.filter((each) => !isWhole(each)));
  const packed = archives.map((members, index) => {
    const part = archives.length > 1 ? `, part ${index + 1} of ${archives.length}` : "";
    return { name: `${members.length} files${part}.zip`, size: sizeOf(members), pieces: piecesOf(members) };
  });
  return [...whole, ...packed];
}

function sendingOf(upload, shown, signal) {
  const pace = new Pace(upload.size);
  const progress = find("upload-progress", shown);
  const token = form.elements.csrfmiddlewaretoken.value;
  progress.max = upload.size || 1;
  const told = ({ done, isLost }) => {
    progress.value = upload.size ? done : 1;
    find("upload-amount", shown).textContent = isLost ? pace.standing(done) : pace.textAt(done);
    if (isLost !== undefined) say(isLost ? LOST : "", "warning");
  };
  return new Sending(upload, { url: form.dataset.uploadsUrl, token, signal, told });
}

function begin() {
  const controller = new AbortController();
  const plan = planned(chosen.flat());
  const rows = plan.map(({ name, size }) => row(name, `0\u00a0B of ${amountText(size)}`));
  show(rows);
  setWork({ controller, sendings: plan.map((upload, index) => sendingOf(upload, rows[index], controller.signal)) });
}

function setWork(begun) {
  work = begun;
  find("drop-zone").inert = Boolean(work);
  find("upload-submit").disabled = Boolean(work);
  find("upload-cancel").hidden = !work;
  find("upload-cancel").querySelector("button").focus();
}

async function send() {
  for (const sending of work.sendings) await sending.run();
  for (const { id } of work.sendings) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "uploads", value: id }));
  }
  work = null;
  form.submit();
}

async function giveUp(error) {
  await Promise.all(work.sendings.map((sending) => sending.remove()));
  setWork(null);
  list();
  if (error.name === "AbortError") say(CANCELLED, "info");
  else say(error instanceof UploadFailed ? error.message : UNREADABLE);
}

function submit(event) {
  if (!chosen.length) {
    setTimeout(() => (find("upload-submit").disabled = true)); // once is enough
    return;
  }
  event.preventDefault();
  if (work) return;
  if (form.elements.source?.value || form.elements.path?.value.trim()) {
    say(form.elements.source?.value ? NOT_FILES : BOTH);
    return;
  }
  begin();
  send().catch(giveUp);
}

if (form) {
  listen(find("drop-zone"), choose);
  form.addEventListener("submit", submit);
  find("upload-cancel").addEventListener("click", () => work?.controller.abort());
  addEventListener("beforeunload", (event) => work && event.preventDefault());
  addEventListener("pagehide", () => work?.sendings.forEach((sending) => sending.remove()));
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
