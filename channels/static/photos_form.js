// The form takes photos without this file: here those that are too large are made smaller before they are sent.

import { shrink } from "./shrink.js";

const input = document.getElementById("photos-files");

input?.addEventListener("change", async () => {
  const chosen = Array.from(input.files);
  const limit = Number(input.dataset.limit);
  if (chosen.every((file) => file.size <= limit)) return;
  const smaller = new DataTransfer();
  for (const file of chosen) {
    const made = await shrink(file, limit);
    smaller.items.add(made === file ? file : new File([made], "photo.jpg", { type: "image/jpeg" }));
  }
  input.files = smaller.files;
});
