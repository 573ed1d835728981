// Looks things up while somebody types, and the keys of the page. Without it the button 查看 does the same.
"use strict";

(() => {
  const box = document.getElementById("text");
  const form = document.getElementById("said");
  const status = document.getElementById("said-status");
  document.documentElement.classList.add("has-keys");

  // A word that is still being composed is not what was said yet.
  const said = () => {
    form.elements.turn.value = Date.now();
    htmx.trigger(form, "said");
  };
  box.addEventListener("input", (event) => event.isComposing || said());
  box.addEventListener("compositionend", said);
  form.addEventListener("submit", () => (form.elements.turn.value = Date.now()));
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.body.addEventListener(name, () => (status.textContent = status.dataset.failed));
  }

  // What stands there already is not read out again at every pause.
  document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    if (target.textContent.trim() === fragment.textContent.trim()) event.detail.shouldSwap = false;
  });

  const rows = () => [...document.querySelectorAll(".proposal")];
  const current = () => document.querySelector(".proposal.current");
  const move = (step, isTyping) => {
    const all = rows();
    if (!all.length) return;
    const next = all[(all.indexOf(current()) + step + all.length) % all.length];
    all.forEach((row) => row.classList.toggle("current", row === next));
    next.scrollIntoView({ block: "nearest" });
    if (isTyping) status.textContent = status.dataset.current.replace("{kind}", next.dataset.kind);
    else next.querySelector(".accept").focus();
  };
  const change = () => {
    const details = current() && current().querySelector("details");
    if (!details) return;
    details.open = true;
    details.querySelector("select, textarea, input:not([type=hidden])").focus();
  };
  const press = (selector) => {
    const button = current() && current().querySelector(selector);
    if (button) button.click();
  };
  const help = () => {
    const keys = document.getElementById("keys");
    keys.open = !keys.open;
    if (keys.open) keys.querySelector("summary").focus();
  };

  const byCode = {
    KeyA: () => press(".accept"),
    KeyX: () => press(".reject"),
    KeyC: change,
    KeyN: () => document.getElementById("file").click(),
    ArrowDown: (isTyping) => move(1, isTyping),
    ArrowUp: (isTyping) => move(-1, isTyping),
  };
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    const isTyping = event.target.matches("textarea, select, input:not([type=hidden])");
    if (isTyping && event.key === "Enter" && event.target.matches(".change select")) {
      event.preventDefault();
      event.target.form.requestSubmit();
      return;
    }
    if (isTyping && !event.altKey) return;
    let act = byCode[event.code];
    if (event.key === "?" || (event.altKey && event.code === "KeyK")) act = help;
    else if (event.key === "/") act = () => box.focus();
    if (!act) return;
    event.preventDefault();
    act(isTyping);
  });
})();
