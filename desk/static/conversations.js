// The talk of whoever has taken a conversation. Without it everything works by forms and a reload.
"use strict";

(() => {
  const TYPING_EVERY_MS = 3_000;
  const form = document.getElementById("write");
  const lines = () => document.getElementById("lines");
  const toEnd = () => (lines().scrollTop = lines().scrollHeight);
  toEnd();

  // Whoever has scrolled back to read stays there; what stands there already is not read out again.
  let top = null;
  document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    if (target.textContent.trim() === fragment.textContent.trim()) event.detail.shouldSwap = false;
    else if (target.id === "lines") top = target.scrollTop + target.clientHeight < target.scrollHeight - 40 ? target.scrollTop : null;
  });
  document.body.addEventListener("htmx:oobAfterSwap", () => {
    if (top === null) toEnd();
    else lines().scrollTop = top;
  });
  if (!form) return;

  const box = form.elements.text;
  let typedAt = 0;
  box.addEventListener("input", () => {
    if (Date.now() - typedAt < TYPING_EVERY_MS) return;
    typedAt = Date.now();
    fetch(form.dataset.typing, { method: "POST" }).catch(() => null);
  });
  box.addEventListener("keydown", (event) => {
    // Enter chooses a candidate while composing; Safari ends the composition first and tells it by the key code.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    form.requestSubmit();
  });
  // A second press while the first is under way is the same message: the key says so, and the page need not ask twice.
  form.addEventListener("submit", (event) => {
    if (form.dataset.isSending) event.preventDefault();
    form.dataset.isSending = "1";
  });
})();
