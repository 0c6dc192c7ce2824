// fastify + onnxruntime-node, a cluster of two: POST /classify with
// {"inputs": [[784 numbers], ...]}. MODEL and PORT are in the environment; the
// packages are in NODE_PEERS, where npm has put them.
const cluster = require('node:cluster');
const path = require('node:path');
const packages = path.join(process.env.NODE_PEERS, 'node_modules');
const use = (name) => require(path.join(packages, name));

const reply = {
  type: 'object',
  properties: {
    predictions: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          class: { type: 'string' },
          probabilities: { type: 'array', items: { type: 'number' } },
        },
      },
    },
  },
};

async function serve() {
  const ort = use('onnxruntime-node');
  const app = use('fastify')({ bodyLimit: 64 << 20 });
  const session = await ort.InferenceSession.create(process.env.MODEL, {
    intraOpNumThreads: 1, interOpNumThreads: 1,
  });
  app.post('/classify', { schema: { response: { 200: reply } } }, async (r) => {
    const rows = r.body.inputs;
    const x = new Float32Array(rows.length * 784);
    rows.forEach((row, i) => x.set(row, i * 784));
    const answer = await session.run(
      { input: new ort.Tensor('float32', x, [rows.length, 28, 28]) },
      ['probabilities']);
    const p = answer.probabilities.data;
    const predictions = rows.map((_, i) => {
      const of = Array.from(p.subarray(i * 10, i * 10 + 10));
      return { class: String(of.indexOf(Math.max(...of))), probabilities: of };
    });
    return { predictions };
  });
  await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
}

if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
} else {
  serve();
}
