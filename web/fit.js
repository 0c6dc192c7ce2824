/* From a sketch to the numbers that a model reads. As MNIST was made: the ink
 * is cropped to its bounding box, scaled so that the longer side is 20 of 28
 * pixels, and placed with its centre of mass in the middle. Strokes are drawn
 * anew at that size, so that a small digit does not become a fat one.
 */
import { PEN } from "./draw.js";

const BOX = 20 / 28;
const FINE = 140; /* pixels of the longer side, before averaging */

/* {height, width, channels, longer}, or null if it cannot be drawn on. */
export function gridOf(shape) {
  const [height, width] = shape.slice(-2);
  const channels = shape.length === 3 ? shape[0] : 1;
  const longer = Math.max(height, width);
  const fits = [2, 3].includes(shape.length) && [1, 3].includes(channels) &&
    longer >= 8 && longer <= 2 * Math.min(height, width);
  return fits ? { height, width, channels, longer } : null;
}

const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });

/* Ink 0..1 of each pixel, averaged over `fine` x `fine`. */
function rasterise(sketch, { width, height }, fine, { scale, x, y, pen }) {
  canvas.width = width * fine;
  canvas.height = height * fine;
  context.setTransform(scale * fine, 0, 0, scale * fine, x * fine, y * fine);
  sketch.paint(context, pen);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const ink = new Float32Array(width * height);
  for (let y = 0, i = 3; y < canvas.height; y++) {
    const row = Math.floor(y / fine) * width;
    for (let x = 0; x < canvas.width; x++, i += 4)
      ink[row + Math.floor(x / fine)] += data[i] / (255 * fine * fine);
  }
  return ink;
}

/* Centre of mass and bounding box: [x, y, left, top, right, bottom]. */
function measure(ink, width) {
  let mass = 0, x = 0, y = 0;
  let left = width, top = Infinity, right = 0, bottom = 0;
  ink.forEach((value, i) => {
    if (value === 0)
      return;
    const column = i % width, row = Math.floor(i / width);
    mass += value;
    x += value * (column + 0.5);
    y += value * (row + 0.5);
    if (value > 0.1) {
      left = Math.min(left, column);
      right = Math.max(right, column + 1);
      top = Math.min(top, row);
      bottom = row + 1;
    }
  });
  return [x / mass, y / mass, left, top, right, bottom];
}

/* The sketch's box in its own units: of the pen's way, or of all ink. */
function boxOf(sketch, { width, height, longer }, fine) {
  const scale = longer * fine;
  const pen = sketch.picture ? PEN : 1 / scale;
  const large = { width: width * fine, height: height * fine };
  const ink = rasterise(sketch, large, 1, { scale, pen, x: 0, y: 0 });
  return measure(ink, large.width).slice(2).map((side) => side / scale);
}

/* The sketch, in units of the grid's longer side, as ink 0..1 row by row; null
 * if there is none. */
export function toInk(sketch, grid, fit) {
  const { width, height, longer } = grid;
  const fine = Math.max(1, Math.round(FINE / longer));
  const place = { scale: longer, pen: PEN, x: 0, y: 0 };
  if (fit && !sketch.empty()) {
    const [left, top, right, bottom] = boxOf(sketch, grid, fine);
    const pen = sketch.picture ? 0 : PEN * longer;
    place.scale = Math.min((BOX * width - pen) / (right - left),
                           (BOX * height - pen) / (bottom - top));
    place.pen = (pen || place.scale * PEN) / place.scale;
    place.x = (width - place.scale * (left + right)) / 2;
    place.y = (height - place.scale * (top + bottom)) / 2;
    const [x, y] = measure(rasterise(sketch, grid, fine, place), width);
    place.x += width / 2 - x;
    place.y += height / 2 - y;
  }
  const ink = rasterise(sketch, grid, fine, place);
  return ink.some((value) => value > 0) ? ink : null;
}

/* Ink as the model's numbers, short enough to be read in a shell. */
export function toInput(ink, { channels }, [low, high]) {
  const plane = Array.from(ink, (value) =>
    Number((low + value * (high - low)).toFixed(3)));
  return Array(channels).fill(plane).flat();
}
