/* Draws replies into the page. Pictures are ink in the theme's colours, signed
 * ones (atoms, what is left over) in one colour for more and one for less.
 */
import { atomOf } from "./api.js";

export const $ = (id) => document.getElementById(id);

const percent = (v) => `${(100 * v).toFixed(Math.abs(v) < 0.0995 ? 1 : 0)} %`;
const largest = (values) =>
  values.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-9);

function element(name, className = "", text = "") {
  return Object.assign(document.createElement(name),
                       { className, textContent: text });
}

/* A bar filled to `part` of its length. */
function fill(bar, part) {
  bar.style.setProperty("--part", Math.abs(part));
  bar.classList.toggle("minus", part < 0);
  return bar;
}

const colour = (name) => getComputedStyle(document.documentElement)
  .getPropertyValue(name).match(/\d+/g).map(Number);

/* Pixels of `more` or `less`, as opaque as |value| / scale; the channels are
 * averaged. */
function paint(canvas, { width, height, channels }, values, scale,
               more = colour("--ink"), less = null) {
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  const plane = width * height;
  for (let i = 0; i < plane; i++) {
    let v = 0;
    for (let c = 0; c < channels; c++)
      v += values[c * plane + i] / (channels * scale);
    const shade = v > 0 ? more : less;
    if (shade)
      pixels.data.set([...shade, 255 * Math.abs(v)], 4 * i);
  }
  context.putImageData(pixels, 0, 0);
}

const paintSigned = (canvas, grid, values, scale) =>
  paint(canvas, grid, values, scale, colour("--plus"), colour("--minus"));

/* Few classes are all shown, each in its place; of many the best. */
export const topOf = ({ class_count }) => class_count > 12 ? 8 : class_count;

export function showAnswer(prediction, { class_count }) {
  $("answer").hidden = !prediction;
  if (!prediction)
    return;
  $("best").textContent = prediction.class;
  $("best").className = prediction.class.length > 2 ? "word" : "";
  $("sure").textContent = percent(prediction.probability);
  const rows = [...prediction.top];
  if (class_count <= 12)
    rows.sort((a, b) => a.index - b.index);
  $("classes").replaceChildren(...rows.map((row) => {
    const item = element("li", row.index === prediction.index ? "is" : "");
    item.append(element("span", "", row.class),
                fill(element("i", "bar"), row.probability),
                element("span", "", percent(row.probability)));
    return item;
  }));
}

export function showPictures({ input: { range } }, grid, input, reply) {
  const drawn = reply.reconstructions?.[0];
  const scale = range[1] - range[0];
  const ink = (values) => values.map((v) => v - range[0]);
  paint($("input"), grid, ink(input), scale);
  for (const id of ["drawn", "rest"])
    $(id).parentElement.hidden = !drawn;
  $("error").textContent = "";
  if (!drawn)
    return;
  paint($("drawn"), grid, ink(drawn), scale);
  paintSigned($("rest"), grid, input.map((v, i) => v - drawn[i]), scale);
  const error = reply.relative_error[0];
  if (error !== null)
    $("error").textContent = `Relative error ${error.toFixed(3)}: the code ` +
      `explains ${percent(Math.max(0, 1 - error ** 2))} of the input's energy.`;
}

/* All units side by side, each a bar; where there is no room for all that are
 * on, the most active ones. */
export function showSpectrum({ indices, values }, size) {
  const canvas = $("spectrum");
  const width = canvas.width = canvas.clientWidth * devicePixelRatio;
  const height = canvas.height = canvas.clientHeight * devicePixelRatio;
  const context = canvas.getContext("2d");
  const bar = Math.max(devicePixelRatio, 0.7 * width / size);
  const most = largest(values);
  const [more, less] = [colour("--plus"), colour("--minus")];
  const shown = indices.map((_, i) => i)
    .sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]))
    .slice(0, width / 2);
  shown.forEach((i) => {
    const unit = indices[i];
    const tall = Math.max(0.04, Math.abs(values[i]) / most) * height;
    context.fillStyle = `rgb(${values[i] > 0 ? more : less})`;
    context.fillRect(unit / size * width, height - tall, bar, tall);
  });
  $("active").textContent = indices.length;
  $("of").textContent = `of ${size} units are on ` +
    `(${percent(indices.length / size)}), the others are exactly 0`;
}

/* `trace`: the code after each step; `step`, from 1, is the one shown. */
export function showSteps(trace, step) {
  $("steps").hidden = trace.length < 2;
  const counts = trace.map((code) => code.indices.length);
  const most = largest(counts);
  $("steps").style.setProperty("--steps", trace.length);
  $("columns").replaceChildren(...counts.map((count, i) => {
    const column = element("div", i + 1 === step ? "is" : "");
    column.append(element("span", "", trace.length > 16 ? "" : count),
                  fill(element("i"), count / most));
    return column;
  }));
  $("step").max = trace.length;
  $("step").value = step;
  const off = new Set(trace[step - 2]?.indices);
  const on = trace[step - 1].indices.filter((unit) => !off.delete(unit));
  $("step-text").textContent = `After step ${step} of ${trace.length}: ` +
    `${on.length} units came on, ${off.size} went off.`;
  $("step").setAttribute("aria-valuetext", $("step-text").textContent);
}

/* The units that are on, those that draw most first. */
function ranked({ codes: [code], explanations }) {
  const why = explanations?.[0];
  const place = new Map(why?.indices.map((unit, i) => [unit, i]));
  const rows = code.indices.map((unit, i) => ({
    unit, value: code.values[i],
    share: why?.reconstruction?.[place.get(unit)],
    vote: why?.score?.[place.get(unit)],
  }));
  const size = (row) => Math.abs(row.share ?? row.value);
  return rows.sort((a, b) => size(b) - size(a));
}

function card({ unit, value, share, vote }, most) {
  const item = element("li");
  const lines = [`value ${value.toPrecision(2)}`];
  if (share !== undefined)
    lines.unshift(`draws ${percent(share)}`);
  if (vote !== undefined)
    lines.push(`votes ${vote < 0 ? "−" : "+"}${Math.abs(vote).toFixed(2)}`);
  item.append(element("canvas"), element("b", "", `unit ${unit}`),
              fill(element("i", "bar"), (share ?? value) / most),
              ...lines.map((line) => element("span", "", line)));
  item.dataset.unit = unit;
  return item;
}

/* The first `limit` units; returns them, so that their atoms can come. */
export function showUnits(reply, limit, manyUnits) {
  const rows = ranked(reply);
  const visible = rows.slice(0, limit);
  const most = largest(rows.map(({ share, value }) => share ?? value));
  const best = reply.explanations?.[0].class;
  $("units").replaceChildren(...visible.map((row) => card(row, most)));
  $("key").textContent = best === undefined ? ""
    : `Votes are for ${best}: + speaks for it, − against it.`;
  $("more").hidden = rows.length <= limit && limit < manyUnits;
  $("more").textContent = limit === manyUnits ? "Show fewer"
    : rows.length <= manyUnits ? `Show all ${rows.length}`
    : `Show ${manyUnits} of ${rows.length}`;
  return visible.map(({ unit }) => unit);
}

export function showAtoms(reply, grid) {
  for (const item of $("units").children) {
    const atom = atomOf(reply, item.dataset.unit);
    if (atom)
      paintSigned(item.firstChild, grid, atom, largest(atom));
  }
}
