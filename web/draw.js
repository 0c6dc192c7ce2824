/* The sketch (strokes and perhaps a picture, in units of the paper's longer
 * side) and the paper on which mouse, touch or pen make it.
 */
export const PEN = 0.085;

export class Sketch {
  strokes = []; /* of points [x, y] */
  picture = null; /* {canvas, exact, x, y, width, height} */

  empty() {
    return this.strokes.length === 0 && this.picture === null;
  }

  clear() {
    Object.assign(this, { strokes: [], picture: null });
  }

  paint(context, pen = PEN) {
    if (this.picture) {
      const { canvas, exact, x, y, width, height } = this.picture;
      context.imageSmoothingEnabled = !exact;
      context.drawImage(canvas, x, y, width, height);
    }
    context.lineWidth = pen;
    context.lineCap = context.lineJoin = "round";
    this.strokes.forEach((points) => paintStroke(context, points));
  }
}

/* Curves through the middles between points: smooth, and never outside. */
function paintStroke(context, points) {
  const [x, y] = points[0];
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + 1e-4, y);
  for (let i = 1; i < points.length - 1; i++) {
    const [a, b] = points[i], [c, d] = points[i + 1];
    context.quadraticCurveTo(a, b, (a + c) / 2, (b + d) / 2);
  }
  context.lineTo(...points.at(-1));
  context.stroke();
}

/* Shows the sketch in the theme's colour, sharp on any screen. */
export function redraw(canvas, sketch, { width, height, longer }) {
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.width = canvas.clientWidth * devicePixelRatio;
  canvas.height = canvas.width * height / width;
  const context = canvas.getContext("2d");
  const unit = canvas.width * longer / width;
  context.setTransform(unit, 0, 0, unit, 0, 0);
  sketch.paint(context);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = getComputedStyle(canvas).color;
  context.fillRect(0, 0, 1, 1);
}

/* Calls `begin` before each stroke and `changed` after each point. */
export function listen(canvas, sketch, gridNow, begin, changed) {
  let stroke = null;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const unit = box.width * gridNow().longer / gridNow().width;
    return [(event.clientX - box.left) / unit,
            (event.clientY - box.top) / unit];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0 || !gridNow())
      return;
    begin();
    canvas.setPointerCapture(event.pointerId);
    stroke = [at(event)];
    sketch.strokes.push(stroke);
    changed();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke || !event.isPrimary)
      return;
    const events = event.getCoalescedEvents?.() ?? [];
    stroke.push(...(events.length ? events : [event]).map(at));
    changed();
  });
  for (const type of ["pointerup", "pointercancel"])
    canvas.addEventListener(type, () => { stroke = null; });
}
