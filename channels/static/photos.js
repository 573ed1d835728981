// Photos work without this file: here they are sent as soon as they are chosen, and made smaller first where needed.

const LONGER_EDGE = 2048;
const GIVE_UP_AFTER_MS = 120_000;
const box = document.querySelector(".photos-box");
const part = () => document.getElementById("photos");
let isBusy = false;
const badge = document.getElementById("photos-count");

// What is chosen is sent at once.
function hideButton() {
  const button = part().querySelector(".pick button");
  if (button) button.hidden = true;
}

function show(html) {
  const parsed = document.createElement("template");
  parsed.innerHTML = html;
  part().replaceWith(parsed.content);
  hideButton();
  const count = part().querySelectorAll(".thumbs li").length;
  badge.textContent = count ? badge.dataset.badge.replace("{count}", count) : "";
}

function tell(sentence) {
  document.getElementById("photos-problem").textContent = sentence;
}

// Phones take photos of more than may be sent; a file that is no photo goes as it is, so that the server says so.
async function smaller(file, limit) {
  if (file.size <= limit || !file.type.startsWith("image/")) return file;
  const image = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
  if (!image) return file;
  const scale = Math.min(1, LONGER_EDGE / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? file), "image/jpeg", 0.85));
}

async function post(fields) {
  const words = { ...part().dataset };
  if (isBusy) return;
  isBusy = true;
  tell("");
  document.getElementById("photos-told").textContent = words.busy;
  try {
    const response = await fetch("/photos", {
      method: "POST",
      body: fields,
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout?.(GIVE_UP_AFTER_MS),
    });
    const body = await response.json();
    if (!response.ok) throw Object.assign(new Error(body.error.code), { sentence: body.error.message });
    show(body.html);
    document.getElementById("photos-told").focus();
  } catch (error) {
    await refresh();
    tell(error.sentence ?? words.network);
  } finally {
    isBusy = false;
  }
}

async function send(chosen) {
  const limit = Number(part().dataset.limit);
  const files = await Promise.all(Array.from(chosen, (file) => smaller(file, limit)));
  if (files.some((file) => file.size > limit)) {
    tell(part().dataset.large);
    return;
  }
  const fields = new FormData();
  for (const file of files) fields.append("photos", file, "photo");
  await post(fields);
}

async function refresh() {
  const response = await fetch("/photos", { headers: { Accept: "application/json" } }).catch(() => null);
  const body = await response?.json().catch(() => null);
  if (body?.html) show(body.html);
}

box.addEventListener("change", (event) => {
  if (event.target.type === "file" && event.target.files.length) send(event.target.files);
});

box.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.submitter?.name !== "drop") return;
  const fields = new FormData();
  fields.append("drop", event.submitter.value);
  post(fields);
});

// A petition that was filed has taken the photos along.
new MutationObserver(() => {
  if (part().querySelector(".thumbs")) refresh();
}).observe(document.getElementById("log"), { childList: true });

hideButton();
