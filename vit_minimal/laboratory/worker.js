// The model's half of the page: it runs in a worker, so that the page stays alive while it computes.
// `vision_transformer.js` and `random.js` stand before this script. Each message is answered by one with its `id`.

let model, probes; // of the messages that came before

// float16 numbers (bytes, low one first) → Float32Array
function halves(bytes) {
  const numbers = new Uint16Array(bytes);
  return Float32Array.from(numbers, (bits) => {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return bits >> 15 ? -size : size;
  });
}

async function load({ config, tensors, numbers, hasProbes }) {
  const packed = Uint8Array.from(atob(numbers), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const all = halves(await new Response(stream).arrayBuffer());
  const weights = {};
  let start = 0;
  for (const [name, length] of tensors) weights[name] = all.subarray(start, start += length);
  model = new VisionTransformer(config, weights);
  probes = hasProbes && { weights: weights['probes.weights'], biases: weights['probes.biases'] };
  return {};
}

// What the probes read from the class tokens (L + 1, D): the scores (L + 1, K), as `read_class_token`.
function readClassTokens(tokens) {
  const D = tokens[0].length, K = probes.biases.length / tokens.length;
  return tokens.map((token, k) => {
    const scores = probes.biases.slice(k * K, (k + 1) * K);
    for (let i = 0; i < D; i++)
      for (let c = 0; c < K; c++) scores[c] += token[i] * probes.weights[(k * D + i) * K + c];
    return scores;
  });
}

// A class token in place of the trained one.
function otherClassToken(kind, seed) {
  const trained = model.cls_token, length = (vector) => Math.hypot(...vector);
  if (kind === 'zeros' || kind === 'nothing') return trained.map(() => 0);
  if (kind === 'ten') return trained.map((number) => 10 * number);
  if (kind !== 'noise') return trained;
  const noise = gaussians(trained.length, seed); // made as long as the trained one is
  return noise.map((number) => number * length(trained) / length(noise));
}

// Image, bytes (C, H, W), → what the page shows of it. `token` and `seed` say what stands in the place
// of the class token; the other changes are those of VisionTransformer.forward.
function look({ image, token, seed, ...changes }) {
  const start = performance.now();
  const found = model.forward(image, {
    ...changes, cls_token: otherClassToken(token, seed), cls_position: token !== 'nothing',
  });
  const scores = probes ? readClassTokens(found.tokens) : null;
  return { ...found, scores, milliseconds: performance.now() - start };
}

// What the class token reads in each block, mean over these images: (L, D), as `mean_reads`.
function meanReads({ images }) {
  const all = images.map((image) => model.forward(image).reads);
  return { reads: all[0].map((first, k) => first.map((_, i) => all.reduce((sum, reads) => sum + reads[k][i] / all.length, 0))) };
}

const ANSWERS = { load, look, meanReads };
onmessage = async ({ data: { id, ask, ...details } }) => {
  try {
    postMessage({ id, ...(await ANSWERS[ask](details)) });
  } catch (error) {
    postMessage({ id, error: String(error) });
  }
};
