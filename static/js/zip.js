/**
 * ZIP files without compression (PKWARE APPNOTE 4.3), made while they are sent: of the files only their checksums are
 * taken beforehand, one after another, and nothing is kept in memory. Below 4 GB and 65,536 members: no ZIP64.
 */
const ZIP_BYTES = 2e9;
const ZIP_FILES = 60_000;
const READ_BYTES = 4 * 1024 * 1024;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const VERSION = 20;
const NAMES_ARE_UTF8 = 0x0800;
const FIRST_OF_1980 = 0x0021;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** Whether a file must travel by itself. */
export const isTooLarge = (file) => file.size >= ZIP_BYTES;

/** Deals files ({name, file}) out to ZIP files: a list of lists of members, no name twice in one. */
export function deal(files) {
  const archives = [];
  let bytes = Infinity;
  for (const { name, file } of files) {
    if (bytes + file.size > ZIP_BYTES || archives.at(-1).members.length === ZIP_FILES) {
      archives.push({ members: [], names: new Set() });
      bytes = 0;
    }
    const { members, names } = archives.at(-1);
    const unique = names.has(name) ? `${members.length + 1}/${name}` : name;
    names.add(unique);
    members.push({ name: new TextEncoder().encode(unique), file });
    bytes += file.size;
  }
  return archives.map((archive) => archive.members);
}

/** How many bytes the ZIP file of these members will have. */
export function sizeOf(members) {
  const sizes = members.map(({ name, file }) => LOCAL_BYTES + CENTRAL_BYTES + 2 * name.length + file.size);
  return sizes.reduce((sum, size) => sum + size, END_BYTES);
}

/** The ZIP file, piece by piece. Rejects where a file cannot be read, or changed since it was chosen. */
export async function* piecesOf(members) {
  const directory = [];
  let offset = 0;
  for (const { name, file } of members) {
    const crc = await crc32(file);
    const common = [
      [2, VERSION], [2, NAMES_ARE_UTF8], [2, 0], [2, 0], [2, FIRST_OF_1980],
      [4, crc], [4, file.size], [4, file.size], [2, name.length], [2, 0],
    ];
    directory.push(record([4, 0x02014b50], [2, VERSION], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), name);
    yield new Blob([record([4, 0x04034b50], ...common), name]);
    yield file;
    offset += LOCAL_BYTES + name.length + file.size;
  }
  const { size } = new Blob(directory);
  const count = members.length;
  const end = record([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]);
  yield new Blob([...directory, end]);
}

/** Numbers as [bytes, value], little endian. */
function record(...numbers) {
  const view = new DataView(new ArrayBuffer(numbers.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of numbers) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  return view.buffer;
}

async function crc32(file) {
  let crc = ~0;
  for (let at = 0; at < file.size; at += READ_BYTES) {
    const bytes = new Uint8Array(await file.slice(at, at + READ_BYTES).arrayBuffer());
    for (let index = 0; index < bytes.length; index++) crc = TABLE[(crc ^ bytes[index]) & 0xff] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
