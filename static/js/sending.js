/** One file to the API's uploads, in parts; where the connection breaks it goes on from what has arrived. */
const PART_BYTES = 8 * 1024 * 1024;
const WAITS_MILLISECONDS = [500, 1000, 2000, 5000, 10_000];
const REMOVALS = 6;
const REMOVAL_MILLISECONDS = 5000;
const PASSING = new Set([0, 429, 502, 503, 504]);
const REFUSALS = new Set([401, 403, 413]);
const LOGGED_OUT = "You are logged out. Log in, and upload it again.";
const PASSING_CODES = new Set(["offset_mismatch", "upload_busy"]);

/** What cannot be helped by trying again; the message is for people. */
export class UploadFailed extends Error {}

export class Sending {
  /**
   * name, size, pieces: of the file; pieces is an (async) iterable of Blobs.
   * url: of the uploads   token: against forgery   signal: ends it
   * told: called with ({done, isLost}) whenever something changed
   */
  constructor({ name, size, pieces }, { url, token, signal, told }) {
    Object.assign(this, { name, size, pieces, url, token, signal, told, offset: 0, id: null });
  }

  /** Send all of it; rejects with UploadFailed, or with the signal's reason. */
  async run() {
    try {
      await this.#run();
    } catch (error) {
      throw (await this.#isLoggedOut(error)) ? new UploadFailed(LOGGED_OUT) : error;
    }
  }

  async #run() {
    const begun = await this.#patiently(() => this.#begin());
    this.id = begun.id;
    this.told({ done: 0, isLost: false });
    for await (const part of partsOf(this.pieces)) await this.#send(part);
  }

  /** Delete what has arrived, as well as it can be done; also while the page goes away. */
  async remove() {
    const headers = { "X-CSRFToken": this.token };
    for (let tries = 0; this.id && tries < REMOVALS; tries++) {
      const signal = AbortSignal.timeout(REMOVAL_MILLISECONDS);
      const answer = await fetch(`${this.url}${this.id}/`, { method: "DELETE", headers, keepalive: true, signal }).catch(() => null);
      if (answer?.status !== 409) return; // 409: the part that was broken off is still being written
      await new Promise((resolve) => setTimeout(resolve, WAITS_MILLISECONDS[0]));
    }
  }

  /** Whether that is what was behind a refusal: without a login already the size of a part is too much. */
  async #isLoggedOut({ status }) {
    if (!REFUSALS.has(status)) return false;
    const answer = await fetch(this.url).catch(() => null);
    return answer?.status === 401 || answer?.status === 403;
  }

  #begin() {
    const body = JSON.stringify({ name: this.name, size_bytes: this.size });
    return this.#ask("POST", this.url, body, { "Content-Type": "application/json" });
  }

  async #send(part) {
    const start = this.offset;
    while (this.offset < start + part.size) {
      const upload = await this.#patiently(async (isAgain) => {
        if (isAgain) await this.#lookUp(start, part);
        const rest = part.slice(this.offset - start);
        const headers = { "Content-Type": "application/octet-stream", "Upload-Offset": this.offset };
        return rest.size ? this.#ask("PATCH", `${this.url}${this.id}/`, rest, headers) : { offset: this.offset };
      });
      this.offset = upload.offset;
      this.told({ done: this.offset, isLost: false });
    }
  }

  /** Where the server is, after something went wrong; and whether the file can still be read. */
  async #lookUp(start, part) {
    await part.arrayBuffer();
    const { offset } = await this.#ask("GET", `${this.url}${this.id}/`);
    if (offset < start || offset > start + part.size) throw new UploadFailed("The server lost a part of the upload.");
    this.offset = offset;
  }

  /** Try again what failed and may pass, for as long as it takes. */
  async #patiently(attempt) {
    for (let failures = 0; ; failures++) {
      try {
        return await attempt(failures > 0);
      } catch (error) {
        if (!error.isPassing) throw error;
        this.told({ done: this.offset, isLost: true });
        await pause(WAITS_MILLISECONDS[Math.min(failures, WAITS_MILLISECONDS.length - 1)], this.signal);
      }
    }
  }

  /** The document that is answered. Rejects with UploadFailed, whose isPassing says whether to try again. */
  #ask(method, url, body = null, headers = {}) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const abort = () => request.abort();
      request.open(method, url);
      request.responseType = "json";
      Object.entries({ ...headers, "X-CSRFToken": this.token }).forEach(([name, value]) => request.setRequestHeader(name, value));
      request.upload.onprogress = ({ loaded }) => body instanceof Blob && this.told({ done: this.offset + loaded });
      request.onloadend = () => {
        this.signal.removeEventListener("abort", abort);
        if (this.signal.aborted) reject(this.signal.reason);
        else if (request.status >= 200 && request.status < 300) resolve(request.response);
        else reject(failureOf(request));
      };
      this.signal.throwIfAborted();
      this.signal.addEventListener("abort", abort);
      request.send(body);
    });
  }
}

function failureOf({ status, response }) {
  const errors = Object.values(response?.errors ?? {}).flat();
  const failed = new UploadFailed(errors[0] ?? response?.detail ?? "The server could not take the upload.");
  failed.status = status;
  failed.isPassing = PASSING.has(status) || PASSING_CODES.has(response?.code);
  return failed;
}

/** The pieces joined, and cut anew into parts of one size. */
async function* partsOf(pieces) {
  let waiting = [];
  let size = 0;
  for await (const piece of pieces) {
    let rest = piece;
    while (size + rest.size >= PART_BYTES) {
      const taken = PART_BYTES - size;
      yield new Blob([...waiting, rest.slice(0, taken)]);
      [waiting, size, rest] = [[], 0, rest.slice(taken)];
    }
    waiting.push(rest);
    size += rest.size;
  }
  if (size) yield new Blob(waiting);
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => reject(signal.reason, clearTimeout(timer)));
  });
}
