// While a person is called or writes: the line that says so, and that the resident is typing. The server has the words.

const line = document.getElementById("person");
const text = document.getElementById("text");
const log = document.getElementById("log");
const OPEN_EVERY_MS = 3_000;
const TYPING_EVERY_MS = 3_000;

let isOpen = false;
let typedAt = 0;
let timer;
let asked = 0;

async function look() {
  const mine = ++asked;
  clearTimeout(timer);
  const response = document.hidden ? null : await fetch("/chat/person").catch(() => null);
  const person = response?.ok ? await response.json().catch(() => null) : null;
  // An answer that a later question has overtaken tells of what was.
  if (mine !== asked) return;
  if (person) {
    isOpen = person.state !== "none";
    // A live region speaks when its words change, so equal words are left alone.
    if (line.textContent !== person.text) line.textContent = person.text;
    line.hidden = !isOpen;
  }
  // Whatever calls or brings a person is a message too, which the page hears of without asking.
  if (isOpen) timer = setTimeout(look, OPEN_EVERY_MS);
}

text.addEventListener("input", () => {
  if (!isOpen || Date.now() - typedAt < TYPING_EVERY_MS) return;
  typedAt = Date.now();
  fetch("/chat/typing", { method: "POST" }).catch(() => null);
});

// What was just said may have called a person.
new MutationObserver(look).observe(log, { childList: true });
look();
