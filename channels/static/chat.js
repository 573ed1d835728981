// The page works without this file: here it only spares the reload. All HTML comes from the server, escaped there.

import { enableCopying } from "./copy.js";

const form = document.getElementById("say");
const text = document.getElementById("text");
const log = document.getElementById("log");
const alertBox = document.getElementById("alert");
const status = document.getElementById("status");
const typing = document.getElementById("typing");
const count = document.getElementById("count");
const starting = document.getElementById("starting");
const send = document.getElementById("send");
const words = form.dataset;
const limit = Number(words.limit);
const onPhone = window.matchMedia("(pointer: coarse)");
const TYPING_AFTER_MS = 500;
const GIVE_UP_AFTER_MS = 45_000;
const READY_EVERY_MS = 3_000;

let isSending = false;
// The id belongs to the words: repeating the same words after an error repeats the same message.
let pending = { text: "", id: form.elements.message_id.value };

const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function idOf(said) {
  if (pending.text && pending.text !== said) pending.id = newId();
  pending.text = said;
  return pending.id;
}

function showError(sentence, offersForm) {
  const line = document.createElement("p");
  line.textContent = sentence;
  if (offersForm) {
    const link = document.createElement("a");
    link.href = "/petition";
    link.textContent = words.petition;
    line.append(" ", link);
  }
  alertBox.replaceChildren(line);
}

function bubble(said) {
  const box = document.createElement("div");
  box.className = "said";
  const who = document.createElement("span");
  who.className = "hidden";
  who.textContent = words.you;
  const line = document.createElement("p");
  line.textContent = said;
  box.append(who, line);
  return box;
}

function resize() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
  const length = Array.from(text.value).length;
  count.textContent = length >= limit * 0.8 ? words.count.replace("{count}", length).replace("{limit}", limit) : "";
  count.classList.toggle("over", length > limit);
}

function bringIntoView(element) {
  const isStill = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "start", behavior: isStill ? "auto" : "smooth" });
}

async function post(said) {
  const fields = new URLSearchParams({ text: said, message_id: idOf(said) });
  const response = await fetch("/", {
    method: "POST",
    body: fields,
    headers: { Accept: "application/json" },
    // Older browsers lack it; the server gives up by itself.
    signal: AbortSignal.timeout?.(GIVE_UP_AFTER_MS),
  });
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.error.code), { sentence: body.error.message });
  return body.html;
}

async function say(said, isTyped) {
  if (isSending || !said.trim()) return;
  isSending = true;
  alertBox.replaceChildren();
  send.setAttribute("aria-disabled", "true");
  const mine = bubble(said);
  log.append(mine);
  if (isTyped) {
    text.value = "";
    resize();
  }
  bringIntoView(mine);
  const timer = setTimeout(() => {
    typing.hidden = false;
    status.textContent = words.sending;
  }, TYPING_AFTER_MS);
  try {
    const html = await post(said);
    for (const old of document.querySelectorAll("#log .buttons, .welcome .buttons, .welcome h2, .urgent")) old.remove();
    const parsed = document.createElement("template");
    parsed.innerHTML = html;
    enableCopying(parsed.content);
    log.append(parsed.content);
    status.textContent = words.answered;
    pending = { text: "", id: newId() };
    bringIntoView(mine);
  } catch (error) {
    mine.remove();
    // Newer words, typed while waiting, are not overwritten.
    if (isTyped && !text.value) text.value = said;
    resize();
    status.textContent = "";
    showError(error.sentence ?? words.network, error.message === "understanding_down");
  } finally {
    clearTimeout(timer);
    typing.hidden = true;
    isSending = false;
    send.removeAttribute("aria-disabled");
    if (!onPhone.matches) text.focus({ preventScroll: true });
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const choice = event.submitter?.name === "choice" ? event.submitter.value : null;
  say(choice ?? text.value, choice === null);
});

// The page's own buttons under an answer; an error leaves them as they are, to be pressed again.
log.addEventListener("submit", async (event) => {
  if (!event.target.matches(".rating")) return;
  event.preventDefault();
  const old = event.target;
  const fields = new URLSearchParams({ message_id: old.elements.message_id.value, rating: event.submitter.value });
  try {
    const response = await fetch(old.action, { method: "POST", body: fields, headers: { Accept: "application/json" } });
    const body = await response.json();
    if (!response.ok) throw Object.assign(new Error(body.error.code), { sentence: body.error.message });
    const parsed = document.createElement("template");
    parsed.innerHTML = body.html;
    const fresh = parsed.content.firstElementChild;
    old.replaceWith(fresh);
    fresh.querySelector('[aria-pressed="true"]').focus({ preventScroll: true });
    status.textContent = fresh.querySelector("span").textContent;
  } catch (error) {
    showError(error.sentence ?? words.network, false);
  }
});

text.addEventListener("keydown", (event) => {
  // Enter chooses a candidate while composing; Safari ends the composition first and tells it by the key code.
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key !== "Enter" || event.shiftKey || onPhone.matches) return;
  event.preventDefault();
  say(text.value, true);
});

text.addEventListener("input", resize);

async function watchStart() {
  const response = await fetch("/readyz").catch(() => null);
  const parts = await response?.json().catch(() => null);
  if (parts?.understanding?.ok) starting.hidden = true;
  else setTimeout(watchStart, READY_EVERY_MS);
}

resize();
if (!starting.hidden) setTimeout(watchStart, READY_EVERY_MS);
document.getElementById("latest")?.scrollIntoView({ block: "start" });
