/* What is drawn is sent while it is drawn, and the last answer is shown. This
 * file holds the state and ties the other modules to the page.
 */
import * as api from "./api.js";
import { strokesOf } from "./digits.js";
import { Sketch, listen, redraw } from "./draw.js";
import { gridOf, toInk, toInput } from "./fit.js";
import { readPicture } from "./picture.js";
import * as views from "./views.js";

const { $ } = views;
const FEW = 16; /* units shown at first */
const MANY = 256; /* and at most */
const GAP_MS = 50;

const sketch = new Sketch();
const state = {
  models: [], model: null, grid: null, online: false,
  input: null, /* the sketch as the model reads it */
  step: 0, /* the step asked for; 0: the last one */
  trace: [], reply: null, limit: FEW,
};

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function bodyText(input, step) {
  const { model } = state;
  const draws = model.actions.includes("reconstruct");
  const names = model.actions.includes("classify");
  return JSON.stringify({
    inputs: [input],
    outputs: ["code", ...draws ? ["reconstruction"] : [],
              ...names ? ["classes"] : [], "trace"],
    explain: draws || names || undefined,
    top: names ? views.topOf(model) : undefined,
    steps: step || undefined,
  });
}

const send = api.latest(async ({ model, input, step }) => {
  const stale = () => model !== state.model || input !== state.input;
  if (stale())
    return;
  const text = bodyText(input, step);
  try {
    const reply = await api.infer(model, text);
    if (!stale())
      show(reply, step, text);
  } catch (error) {
    if (!stale())
      failed(error);
  }
}, GAP_MS);

function ask() {
  if (state.online && state.input)
    send({ model: state.model, input: state.input, step: state.step });
}

function failed(error) {
  if (error instanceof api.Gone)
    return connect(error.message);
  if (!(error instanceof api.Problem))
    throw error;
  $("results").hidden = true;
  showStatus(error.message, true);
}

function show(reply, step, text) {
  const { model, grid, input } = state;
  state.reply = reply;
  if (!step)
    state.trace = reply.traces[0];
  if (reply.version !== model.version) {
    model.version = reply.version;
    showFacts();
  }
  showStatus("");
  $("results").hidden = false;
  $("empty").hidden = true;
  views.showAnswer(reply.predictions?.[0], model);
  views.showPictures(model, grid, input, reply);
  views.showSpectrum(reply.codes[0], reply.code_size);
  views.showSteps(state.trace, step || state.trace.length);
  const url = new URL(api.inferPath(model), document.baseURI);
  $("curl").textContent = `curl -s ${url} \\\n` +
    `  -H 'Content-Type: application/json' \\\n  -d '${text}'`;
  showUnits();
  announce();
}

async function showUnits() {
  const { reply, grid, model } = state;
  const units = views.showUnits(reply, state.limit, MANY);
  views.showAtoms(reply, grid);
  if (model.actions.includes("reconstruct")) {
    await api.fetchAtoms(model, reply, units);
    if (model === state.model && state.reply)
      views.showAtoms(state.reply, grid);
  }
}

/* Said once the hand rests, not at each point of a stroke. */
let saying;
function announce() {
  clearTimeout(saying);
  saying = setTimeout(() => {
    $("live").textContent = ["best", "sure", "active", "of"]
      .map((id) => $(id).textContent).join(" ");
  }, 700);
}

function showFacts() {
  const { version, input, code_shape, class_count } = state.model;
  $("facts").textContent = `version ${version} · ${input.shape.join(" × ")} ` +
    `numbers · ${code_shape.join(" × ")} units · ` +
    `${class_count || "no"} classes`;
  const [maps, ...places] = code_shape;
  $("places").textContent = places.length && maps > 1
    ? `, each to be drawn at any of ${places.join(" × ")} places` : "";
  $("atoms").src = api.atomsPath(state.model);
}

function showStatus(text, retry = false) {
  $("status").hidden = !text;
  $("status-text").textContent = text;
  $("retry").hidden = !retry;
}

function changed() {
  const { model, grid } = state;
  $("hint").hidden = !sketch.empty();
  $("clear").disabled = sketch.empty();
  if (!model)
    return;
  redraw($("paper"), sketch, grid);
  const ink = toInk(sketch, grid, $("fit").checked);
  state.input = ink && toInput(ink, grid, model.input.range);
  state.step = 0;
  stop();
  ask();
  if (!ink) {
    $("results").hidden = true;
    $("empty").hidden = !model.actions.includes("reconstruct");
    clearTimeout(saying);
  }
}

/* Counts drawings, so that a new one ends one that is being drawn. */
let drawing = 0;
function clear() {
  drawing++;
  sketch.clear();
  $("fit").checked = true;
  changed();
}

async function drawSample(digit) {
  clear();
  const mine = drawing;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (const points of strokesOf(digit)) {
    const stroke = [];
    for (const point of points) {
      stroke.push(point);
      if (stroke.length === 1)
        sketch.strokes.push(stroke);
      if (calm)
        continue;
      changed();
      await pause(24);
      if (mine !== drawing)
        return;
    }
  }
  changed();
}

async function load([file]) {
  if (!file || !state.grid)
    return;
  clear();
  const mine = drawing;
  try {
    const picture = await readPicture(file, state.grid);
    if (mine !== drawing)
      return;
    sketch.picture = picture;
    $("fit").checked = !picture.exact && !picture.photograph;
    changed();
  } catch (error) {
    showStatus(error.message);
  }
}

let playing = null;
function stop() {
  playing = null;
  $("play").textContent = "Play";
}

function goTo(step) {
  state.step = step < state.trace.length ? step : 0;
  ask();
}

async function play() {
  if (playing)
    return stop();
  const mine = playing = {};
  $("play").textContent = "Stop";
  for (let step = 1; step <= state.trace.length; step++) {
    goTo(step);
    await pause(Math.min(350, 6000 / state.trace.length));
    if (mine !== playing)
      return;
  }
  stop();
}

function choose(model) {
  state.model = model;
  state.grid = gridOf(model.input.shape);
  state.reply = null;
  $("model").value = model.name;
  history.replaceState(null, "", `#${model.name}`);
  showFacts();
  changed();
}

const drawable = ({ input }) => gridOf(input.shape) !== null;

/* False if there is none to draw on. */
function useModels(models) {
  state.models = models;
  $("model").replaceChildren(...models.map((model) => {
    const option = new Option(
      model.name + (drawable(model) ? "" : " (takes no drawing)"), model.name);
    option.disabled = !drawable(model);
    return option;
  }));
  const usable = models.filter(drawable);
  const wanted = state.model?.name ?? location.hash.slice(1);
  $("model").disabled = usable.length === 0;
  state.online = usable.length > 0;
  if (state.online)
    choose(usable.find(({ name }) => name === wanted) ??
           usable.find(({ name }) => name.startsWith("mnist")) ?? usable[0]);
  return state.online;
}

async function whyNone() {
  if (state.models.length > 0)
    return "The models here take no pictures";
  const { status, reasons = [] } = await api.readiness();
  return status === "loading" ? "The server is loading its models"
    : `The server has no model (serve --models FOLDER). ${reasons.join(" ")}`;
}

/* Until there is a model, asks again and again, less and less often. */
let connecting = 0;
let wake = () => {};
async function connect(reason) {
  const mine = ++connecting;
  state.online = false;
  for (let wait = 1; ; wait = Math.min(2 * wait, 15)) {
    if (reason) {
      showStatus(`${reason}. Trying again in ${wait} s.`, true);
      const woken = new Promise((now) => { wake = now; });
      await Promise.race([pause(1000 * wait), woken]);
    }
    if (mine !== connecting)
      return;
    try {
      if (useModels(await api.listModels()))
        return showStatus("");
      reason = await whyNone();
    } catch (error) {
      reason = error.message;
    }
  }
}

const on = (target, type, handle) => target.addEventListener(type, handle);

listen($("paper"), sketch, () => state.grid, () => { drawing++; }, changed);
on($("clear"), "click", clear);
on($("fit"), "change", changed);
on($("choose"), "click", () => $("file").click());
on($("file"), "change", () => {
  load($("file").files);
  $("file").value = "";
});
on(document, "dragover", (event) => event.preventDefault());
on(document, "drop", (event) => {
  event.preventDefault();
  load(event.dataTransfer.files);
});
on(document, "paste", (event) => load(event.clipboardData.files));
for (let digit = 0; digit < 10; digit++) {
  const button = document.createElement("button");
  button.textContent = digit;
  on(button, "click", () => drawSample(digit));
  $("samples").append(button);
}

on($("step"), "input", () => {
  stop();
  goTo(Number($("step").value));
});
on($("columns"), "click", ({ target }) => {
  const step = 1 + [...$("columns").children].indexOf(target.closest("div"));
  stop();
  if (step > 0)
    goTo(step);
});
on($("play"), "click", play);
on($("more"), "click", () => {
  state.limit = state.limit === FEW ? MANY : FEW;
  showUnits();
});
on($("copy"), "click", async () => {
  try {
    await navigator.clipboard.writeText($("curl").textContent);
    $("copy").textContent = "Copied";
  } catch { /* only secure pages may; elsewhere one key is left to press */
    getSelection().selectAllChildren($("curl"));
    $("copy").textContent = "Selected: press Ctrl+C";
  }
  await pause(2000);
  $("copy").textContent = "Copy";
});

on($("model"), "change", () => choose(
  state.models.find(({ name }) => name === $("model").value)));
on($("retry"), "click", () => state.online ? connect("") : wake());
on(matchMedia("(prefers-color-scheme: dark)"), "change", changed);
new ResizeObserver(() => state.grid && redraw($("paper"), sketch, state.grid))
  .observe($("paper").parentElement);

changed();
connect("");
