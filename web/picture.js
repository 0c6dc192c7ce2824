/* Picture files as ink on the paper. Dark on light is turned round, since ink
 * is what a model reads as high. A picture of the model's own size is taken as
 * it is; others are fitted to the paper and their contrast is stretched, so
 * that a photograph of paper has no grey veil. Models of large pictures know
 * photographs, not ink: theirs fill the paper and keep their light.
 */
const FINE = 280;
const LARGE = 64;

/* Ink 0..1 of each pixel; what is transparent counts as white. */
function inkOf({ width, height, data }, exact, photograph) {
  const light = new Float32Array(width * height).map((_, i) => {
    const [r, g, b, a] = data.subarray(4 * i, 4 * i + 4);
    return 1 + (0.299 * r + 0.587 * g + 0.114 * b - 255) * a / 65025;
  });
  if (photograph)
    return light;
  const border = light.filter((_, i) =>
    i < width || i >= light.length - width || i % width % (width - 1) === 0);
  const mean = border.reduce((sum, v) => sum + v, 0) / border.length;
  const ink = mean > 0.5 ? light.map((v) => 1 - v) : light;
  if (exact)
    return ink;
  const ground = Math.min(mean, 1 - mean);
  const most = ink.slice().sort()[Math.floor(0.995 * ink.length)];
  const least = ground + 0.2 * (most - ground);
  const span = Math.max(most - least, 0.02);
  return ink.map((v) => Math.min(1, (v - least) / span));
}

/* A Sketch's `picture`; throws an Error in words for the user. */
export async function readPicture(file, grid) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error("This is not a picture that the browser can read.");
  });
  const exact = bitmap.width === grid.width && bitmap.height === grid.height;
  const unit = exact ? grid.longer : FINE;
  const wide = grid.width / grid.longer, high = grid.height / grid.longer;
  const photograph = grid.longer > LARGE;
  const choose = photograph ? Math.max : Math.min;
  const scale = choose(wide * unit / bitmap.width,
                       high * unit / bitmap.height);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, bitmap.width * scale);
  canvas.height = Math.max(1, bitmap.height * scale);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  inkOf(pixels, exact, photograph).forEach((value, i) =>
    pixels.data.set([0, 0, 0, 255 * value], 4 * i));
  context.putImageData(pixels, 0, 0);
  const width = canvas.width / unit, height = canvas.height / unit;
  return { canvas, exact, photograph, width, height,
           x: (wide - width) / 2, y: (high - height) / 2 };
}
