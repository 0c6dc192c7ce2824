/* The service's public routes as functions. What can go wrong: `Gone` (no
 * answer, try again) or `Problem` (an answer that says no). Addresses are
 * relative, so that the page works behind a path prefix.
 */
export class Gone extends Error {}
export class Problem extends Error {}

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const title = body.title || response.statusText;
  const text = `${response.status} ${title}: ${body.detail || "no detail"}`;
  return [502, 503, 504].includes(response.status)
    ? new Gone(text) : new Problem(text);
}

/* Also reads the body, since a connection may break half-way. */
async function ask(path, read, options) {
  let response;
  try {
    response = await fetch(path, {
      signal: AbortSignal.timeout(10000), ...options });
    if (response.ok)
      return await response[read]();
  } catch (error) {
    throw new Gone(error.name === "TimeoutError"
      ? "The server has not answered for 10 s"
      : "The server does not answer");
  }
  throw await refusal(response);
}

const post = (path, body, accept, read) => ask(path, read, {
  method: "POST", body,
  headers: { "Content-Type": "application/json", "Accept": accept },
});

export const listModels = async () => (await ask("v1/models", "json")).models;

/* {"status", "reasons"}, ready or not. */
export const readiness = async () =>
  (await fetch("readyz")).json().catch(() => ({}));

export const atomsPath = (model) =>
  `v1/models/${model.name}/versions/${model.version}/atoms.png?max_side=900`;

export const inferPath = (model) => `v1/models/${model.name}/infer`;

export const infer = (model, text) =>
  post(inferPath(model), text, "application/json", "json");

/* The float32 numbers of an npy file of version 1. */
const readNpy = (buffer) => new Float32Array(
  buffer.slice(10 + new DataView(buffer).getUint16(8, true)));

/* What each unit adds to what the empty code draws. A version never changes,
 * so each of its atoms is asked for once; null while it is on its way. */
const atoms = new Map();
const keyOf = ({ model, version }, unit) => `${model}/${version}/${unit}`;

export const atomOf = (reply, unit) => atoms.get(keyOf(reply, unit));

const versionPath = ({ model, version }) =>
  `v1/models/${model}/versions/${version}`;

/* All at once, from codes of one unit each. */
async function decodeAtoms(reply, units) {
  const codes = units.map((unit) => ({ indices: [unit], values: [1] }));
  codes.push({ indices: [], values: [] });
  const all = readNpy(await post(
    `${versionPath(reply)}/decode`,
    JSON.stringify({ codes }), "application/x-npy", "arrayBuffer"));
  const size = all.length / codes.length;
  const empty = all.subarray(units.length * size);
  units.forEach((unit, i) => atoms.set(
    keyOf(reply, unit),
    all.slice(i * size, (i + 1) * size).map((v, k) => v - empty[k])));
}

/* One by one, where a code alone cannot be drawn. */
const askAtoms = (reply, units) => Promise.all(units.map(async (unit) => {
  const { atom } = await ask(`${versionPath(reply)}/units/${unit}`, "json");
  atoms.set(keyOf(reply, unit), atom);
}));

export async function fetchAtoms({ actions }, reply, units) {
  const missing = units.filter((unit) => !atoms.has(keyOf(reply, unit)));
  if (missing.length === 0)
    return;
  missing.forEach((unit) => atoms.set(keyOf(reply, unit), null));
  try {
    await (actions.includes("decode") ? decodeAtoms : askAtoms)(reply, missing);
  } catch { /* the next reply asks again */
    missing.forEach((unit) => atoms.delete(keyOf(reply, unit)));
  }
}

/* `work` on the latest job: one at a time, `gap` ms apart; of the jobs that
 * come in between only the last is kept. */
export function latest(work, gap) {
  let waiting = null;
  let busy = false;
  return async (job) => {
    waiting = job;
    if (busy)
      return;
    busy = true;
    while (waiting !== null) {
      const next = waiting;
      waiting = null;
      await work(next);
      await new Promise((done) => setTimeout(done, gap));
    }
    busy = false;
  };
}
