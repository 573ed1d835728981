// Phones take photos of more than may be sent.

const LONGER_EDGE = 2048;
const QUALITY = 0.85;

// The photo, smaller where it is too large; what is no photo stays as it is, so that the server says so.
export async function shrink(file, limit) {
  if (file.size <= limit || !file.type.startsWith("image/")) return file;
  const image = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
  if (!image) return file;
  const scale = Math.min(1, LONGER_EDGE / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? file), "image/jpeg", QUALITY));
}
