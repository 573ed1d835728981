// Photos work without this file: here they are sent as soon as they are chosen, and made smaller first where needed.

import { shrink } from "./shrink.js";

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
  const files = await Promise.all(Array.from(chosen, (file) => shrink(file, limit)));
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
