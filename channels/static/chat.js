// The page works without this file: here it only spares the reload. All HTML comes from the server, escaped there.

import { enableCopying } from "./copy.js";
import { Live } from "./live.js";

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
const RETRY_AFTER_MS = [1_000, 2_000];
const title = document.title;
const headers = { Accept: "application/json" };
if (log.dataset.session) headers["X-Conversation"] = log.dataset.session;

let isSending = false;
let unread = 0;
// The number of the last message that the page has.
let last = Number(log.dataset.last);
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
    if (document.body.classList.contains("embedded")) link.target = "_blank";
    line.append(" ", link);
  }
  alertBox.replaceChildren(line);
}

const ofId = (id) => log.querySelector(`[data-message-id="${CSS.escape(id)}"]`);

function bubble(said, id) {
  const message = document.createElement("div");
  message.className = "message";
  message.dataset.messageId = id;
  const box = document.createElement("div");
  box.className = "said";
  const who = document.createElement("span");
  who.className = "hidden";
  who.textContent = words.you;
  const line = document.createElement("p");
  line.textContent = said;
  box.append(who, line);
  message.append(box);
  return message;
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

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function post(fields) {
  const response = await fetch(form.action, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers,
    // Older browsers lack it; the server gives up by itself.
    signal: AbortSignal.timeout?.(GIVE_UP_AFTER_MS),
  });
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.error.code), { sentence: body.error.message });
  return body;
}

// The id makes a repetition harmless, so a connection that broke is tried again before anybody hears of it.
async function postSurely(fields) {
  for (const ms of RETRY_AFTER_MS) {
    try {
      return await post(fields);
    } catch (error) {
      if (error.sentence || error.name === "TimeoutError") throw error;
      await pause(ms);
    }
  }
  return post(fields);
}

function parse(html) {
  const parsed = document.createElement("template");
  parsed.innerHTML = html;
  enableCopying(parsed.content);
  return parsed.content;
}

function removeChoices() {
  for (const old of document.querySelectorAll("#log .buttons, .welcome .buttons, .welcome h2, .urgent")) old.remove();
}

const isAtEnd = () => window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 120;

// Puts a message of the server in its place by its number; whether it was not there yet.
function put(message) {
  last = Math.max(last, message.number);
  if (log.querySelector(`[data-number="${message.number}"]`)) return false;
  if (message.author === "resident") {
    removeChoices();
    document.getElementById("latest")?.removeAttribute("id");
    const mine = message.message_id && ofId(message.message_id);
    if (mine) {
      mine.dataset.number = message.number;
      for (const loose of looseOf(message.message_id)) loose.dataset.answers = message.number;
      return false;
    }
  }
  if (message.answers) {
    for (const old of log.querySelectorAll(`[data-number="${message.answers}"] .unanswered, [data-answers="${message.answers}"]`)) old.remove();
    typing.hidden = true;
  }
  const later = [...log.children].find((one) => !(Number(one.dataset.number) < message.number));
  log.insertBefore(parse(message.html), later ?? null);
  return true;
}

// Replies that had to go out before they were stored.
const looseOf = (id) => log.querySelectorAll(`[data-loose="${CSS.escape(id)}"]`);

function putLoose(html, mine) {
  const content = parse(html);
  for (const part of content.children) {
    part.dataset.loose = mine.dataset.messageId;
    if (mine.dataset.number) part.dataset.answers = mine.dataset.number;
  }
  log.append(content);
}

function arrive(messages) {
  const wasAtEnd = isAtEnd();
  const fresh = messages.filter(put).filter((message) => message.author !== "resident");
  if (!fresh.length) return;
  if (document.hidden) {
    unread += fresh.length;
    document.title = words.unread.replace("{count}", unread).replace("{title}", title);
  }
  if (isSending) return;
  status.textContent = words.arrived;
  if (wasAtEnd) bringIntoView(log.querySelector(`[data-number="${fresh[0].number}"]`).firstElementChild);
}

// The conversation has ended meanwhile and another has begun, with numbers of its own; what was said stays to be read.
function beginAnew() {
  for (const old of log.querySelectorAll("[data-number]")) old.dataset.number = 0;
  last = 0;
  live.stop();
}

async function say(said, offer) {
  if (isSending || !said.trim()) return;
  isSending = true;
  alertBox.replaceChildren();
  send.setAttribute("aria-disabled", "true");
  const id = idOf(said);
  // Said before, when no answer came: the same message again.
  let mine = ofId(id);
  mine?.querySelector(".unanswered")?.remove();
  if (!mine) {
    mine = bubble(said, id);
    log.append(mine);
  }
  if (!offer) {
    text.value = "";
    resize();
  }
  bringIntoView(mine.firstElementChild);
  const timer = setTimeout(() => {
    typing.hidden = false;
    status.textContent = words.sending;
  }, TYPING_AFTER_MS);
  try {
    const fields = { message_id: id, after: last };
    const body = await postSurely(offer ? { ...fields, offer } : { ...fields, text: said });
    if (body.messages.some((message) => message.message_id === id && message.number <= fields.after)) beginAnew();
    arrive(body.messages);
    if (body.loose) putLoose(body.loose, mine);
    status.textContent = words.answered;
    pending = { text: "", id: newId() };
    bringIntoView(mine.firstElementChild);
    live.start();
  } catch (error) {
    if (!mine.dataset.number) mine.remove();
    // Newer words, typed while waiting, are not overwritten.
    if (!text.value && error.message !== "offer_gone") text.value = said;
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
  const button = event.submitter?.name === "offer" ? event.submitter : null;
  if (button) say(button.dataset.said, button.value);
  else say(text.value);
});

// The page's own buttons under an answer; an error leaves them as they are, to be pressed again.
log.addEventListener("submit", async (event) => {
  if (!event.target.matches(".rating")) return;
  event.preventDefault();
  const old = event.target;
  const fields = new URLSearchParams({ message_id: old.elements.message_id.value, rating: event.submitter.value });
  try {
    const response = await fetch(old.action, { method: "POST", body: fields, headers });
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
  say(text.value);
});

text.addEventListener("input", resize);

async function watchStart() {
  const response = await fetch("/readyz").catch(() => null);
  const parts = await response?.json().catch(() => null);
  if (parts?.understanding?.ok) starting.hidden = true;
  else setTimeout(watchStart, READY_EVERY_MS);
}

const live = new Live({ after: () => last, arrive, headers });

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  document.title = title;
});

resize();
if (last) live.start();
if (!starting.hidden) setTimeout(watchStart, READY_EVERY_MS);
document.getElementById("latest")?.scrollIntoView({ block: "start" });
