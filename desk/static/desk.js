// What the pages do besides forms and links. Without it everything still works.
"use strict";

(() => {
  const live = document.querySelector('[hx-trigger*="from:body"]');
  if (!live || !window.EventSource) return;

  let stream = null;
  let wasOpen = false;
  const open = () => {
    stream = new EventSource("/events");
    // What happened since the stream before was told to nobody.
    stream.addEventListener("open", () => {
      if (wasOpen) {
        htmx.trigger(document.body, "tickets");
        htmx.trigger(document.body, "conversations");
      }
      wasOpen = true;
    });
    stream.addEventListener("tickets", (event) => {
      const numbers = JSON.parse(event.data);
      const mine = location.pathname.match(/^\/tickets\/([^/]+)$/);
      if (!mine || numbers.includes(decodeURIComponent(mine[1]))) htmx.trigger(document.body, "tickets");
    });
    stream.addEventListener("conversations", (event) => {
      const mine = location.pathname.match(/^\/conversations\/(\d+)$/);
      if (!mine || JSON.parse(event.data).includes(Number(mine[1]))) htmx.trigger(document.body, "conversations");
    });
  };
  // A page that nobody looks at holds no connection: browsers allow few to one site.
  const follow = () => {
    if (document.hidden && stream) {
      stream.close();
      stream = null;
    } else if (!document.hidden && !stream) {
      open();
    }
  };
  open();
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => stream && stream.close());

  // A list in which somebody has chosen tickets stays until they have done with them.
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id === "queue" && event.target.querySelector("input:checked, #bulk-note:focus")) event.preventDefault();
  });

  // Forms keep what is being typed; when the ticket has changed meanwhile, the reader is told.
  document.body.addEventListener("htmx:afterSettle", () => {
    const standing = document.getElementById("standing");
    const form = document.querySelector('.actions input[name="version"]');
    const notice = document.getElementById("changed");
    if (standing && notice && form) notice.hidden = form.value === standing.dataset.version;
  });
})();
