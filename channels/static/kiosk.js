// On a device that everybody uses: counts down when nobody does anything, then clears what was said.

const bar = document.getElementById("kiosk");
const left = document.getElementById("left");
const stay = document.getElementById("stay");
const idleSeconds = Number(bar.dataset.idleSeconds);
const WARN_SECONDS = Math.min(60, idleSeconds / 2);
const STAY_EVERY_MS = 20_000;

let usedAt = Date.now();
let toldAt = usedAt;

function use() {
  usedAt = Date.now();
  if (usedAt - toldAt < STAY_EVERY_MS) return;
  toldAt = usedAt;
  fetch("/stay", { method: "POST" }).catch(() => {});
}

async function end() {
  clearInterval(ticking);
  // Nothing stays to be read while the page is fetched anew.
  for (const part of document.querySelectorAll("main, .composer")) part.remove();
  await fetch("/clear", { method: "POST" }).catch(() => {});
  location.replace("/");
}

function tick() {
  const secondsLeft = Math.ceil(idleSeconds - (Date.now() - usedAt) / 1000);
  const isWarning = secondsLeft <= WARN_SECONDS;
  left.hidden = stay.hidden = !isWarning;
  bar.classList.toggle("warning", isWarning);
  if (isWarning) left.textContent = bar.dataset.left.replace("{seconds}", Math.max(0, secondsLeft));
  if (secondsLeft <= 0) end();
}

const ticking = setInterval(tick, 500);
for (const kind of ["pointerdown", "pointermove", "keydown", "input", "scroll", "wheel", "touchstart"])
  document.addEventListener(kind, use, { passive: true, capture: true });
// The browser's way back shows no page that was left behind.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
