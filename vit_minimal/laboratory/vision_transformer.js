// The Vision Transformer of the course, forward only, without a library: what PyTorch computes in
// vit_minimal/vision_transformer.py, attention.py, class_token.py and patches.py, under the same names.
//
// C channels, H × W image, P patch side, N patches, T = N + 1 tokens, D embedding width, h heads,
// d = D / h, L blocks. There is no batch: one image at a time. Arrays are flat, the last axis runs
// fastest, and the comment behind an array gives its shape.

// --- the layers of torch.nn ---------------------------------------------------------------------

// x (rows, inputs), weight (outputs, inputs), bias (outputs,) → (rows, outputs): x · weightᵀ + bias.
// Nearly all of the time is spent here. Four rows and two outputs at once are three times as fast as
// one and one: each number that is fetched is used in several products.
function linear(x, weight, bias, rows) {
  const outputs = bias.length, inputs = weight.length / outputs;
  const y = new Float32Array(rows * outputs);
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const x0 = row * inputs, x1 = x0 + inputs, x2 = x1 + inputs, x3 = x2 + inputs;
    for (let out = 0; out + 2 <= outputs; out += 2) {
      const w0 = out * inputs, w1 = w0 + inputs;
      let a0 = bias[out], a1 = a0, a2 = a0, a3 = a0;
      let b0 = bias[out + 1], b1 = b0, b2 = b0, b3 = b0;
      for (let i = 0; i < inputs; i++) {
        const a = weight[w0 + i], b = weight[w1 + i];
        const p = x[x0 + i], q = x[x1 + i], r = x[x2 + i], s = x[x3 + i];
        a0 += p * a; a1 += q * a; a2 += r * a; a3 += s * a;
        b0 += p * b; b1 += q * b; b2 += r * b; b3 += s * b;
      }
      const y0 = row * outputs + out, y1 = y0 + outputs, y2 = y1 + outputs, y3 = y2 + outputs;
      y[y0] = a0; y[y1] = a1; y[y2] = a2; y[y3] = a3;
      y[y0 + 1] = b0; y[y1 + 1] = b1; y[y2 + 1] = b2; y[y3 + 1] = b3;
    }
  }
  const left = row; // the rows of these four, with an odd last output, and the rows that are left over
  for (row = 0; row < rows; row++) {
    for (let out = row < left ? outputs - outputs % 2 : 0; out < outputs; out++) {
      let sum = bias[out];
      for (let i = 0; i < inputs; i++) sum += x[row * inputs + i] * weight[out * inputs + i];
      y[row * outputs + out] = sum;
    }
  }
  return y;
}

// x (rows, D) → (rows, D): each row gets mean 0 and variance 1, then a scale and a shift.
function layerNorm(x, weight, bias, eps) {
  const D = weight.length, y = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += D) {
    let mean = 0, variance = 0;
    for (let i = 0; i < D; i++) mean += x[start + i] / D;
    for (let i = 0; i < D; i++) variance += (x[start + i] - mean) ** 2 / D;
    const scale = 1 / Math.sqrt(variance + eps);
    for (let i = 0; i < D; i++) y[start + i] = (x[start + i] - mean) * scale * weight[i] + bias[i];
  }
  return y;
}

// x · Φ(x), Φ the distribution function of N(0, 1), right to 7 digits: Abramowitz and Stegun 7.1.26.
function gelu(x) {
  const z = Math.abs(x) / Math.SQRT2, t = 1 / (1 + 0.3275911 * z);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = series * Math.exp(-z * z) / 2; // 1 − Φ(|x|)
  return x * (x < 0 ? tail : 1 - tail);
}

// Turns scores into shares that sum to 1, in place.
function softmax(scores) {
  let most = -Infinity, total = 0;
  for (let j = 0; j < scores.length; j++) most = Math.max(most, scores[j]);
  for (let j = 0; j < scores.length; j++) total += scores[j] = Math.exp(scores[j] - most);
  for (let j = 0; j < scores.length; j++) scores[j] /= total;
  return scores;
}

function add(x, y) {
  return x.map((value, i) => value + y[i]);
}

// --- the pieces of the model --------------------------------------------------------------------

// Image (C, H, W) → patches (N, C·P·P), row by row, each flattened as (C, P, P).
function patchify(image, C, H, W, P) {
  const patches = new Float32Array(C * H * W);
  let next = 0;
  for (let top = 0; top < H; top += P)
    for (let left = 0; left < W; left += P)
      for (let c = 0; c < C; c++)
        for (let y = top; y < top + P; y++)
          for (let x = left; x < left + P; x++) patches[next++] = image[(c * H + y) * W + x];
  return patches;
}

class MultiHeadSelfAttention {
  constructor(config, weights, name) {
    this.h = config.num_heads;
    this.qkv = [weights[`${name}.qkv.weight`], weights[`${name}.qkv.bias`]]; // (3D, D), (3D,)
    this.proj = [weights[`${name}.proj.weight`], weights[`${name}.proj.bias`]]; // (D, D), (D,)
  }

  // Tokens (T, D) → tokens (T, D), and how the class token shares its attention (h, T), and what it
  // reads (D,), before `proj` mixes the heads. `cut`: it may not attend to the patches, so that all
  // of its attention goes to itself, as in `knock_out`. `reads` (D,): that is what it reads instead,
  // as in `mean_ablation`. Both are in vit_minimal/inspection/ablations.py.
  forward(x, T, cut, reads) {
    const { h } = this, D = x.length / T, d = D / h;
    const qkv = linear(x, ...this.qkv, T); // (T, 3, h, d)
    const mixed = new Float32Array(T * D); // (T, h, d)
    const attention = new Float32Array(h * T);
    const queries = new Float32Array(T * d), keys = new Float32Array(T * d); // of one head, (T, d)
    const values = new Float32Array(d * T); // its transposed values, (d, T)
    for (let head = 0; head < h; head++) {
      for (let i = 0; i < T; i++) {
        for (let k = 0; k < d; k++) {
          const from = i * 3 * D + head * d + k;
          queries[i * d + k] = qkv[from] / Math.sqrt(d);
          keys[i * d + k] = qkv[from + D];
          values[k * T + i] = qkv[from + 2 * D];
        }
      }
      const shares = linear(queries, keys, new Float32Array(T), T); // (T, T), q · k: the scores
      if (cut) shares.fill(-Infinity, 1, T);
      for (let i = 0; i < T; i++) softmax(shares.subarray(i * T, (i + 1) * T)); // row by row, in place
      const out = linear(shares, values, new Float32Array(d), T); // (T, d)
      for (let i = 0; i < T; i++) mixed.set(out.subarray(i * d, (i + 1) * d), i * D + head * d);
      attention.set(shares.subarray(0, T), head * T);
    }
    if (reads) mixed.set(reads);
    return { out: linear(mixed, ...this.proj, T), attention, reads: mixed.slice(0, D) };
  }
}

class MLP {
  constructor(weights, name) {
    this.fc1 = [weights[`${name}.fc1.weight`], weights[`${name}.fc1.bias`]];
    this.fc2 = [weights[`${name}.fc2.weight`], weights[`${name}.fc2.bias`]];
  }

  forward(x, T) { // (T, D) → (T, D)
    return linear(linear(x, ...this.fc1, T).map(gelu), ...this.fc2, T);
  }
}

class EncoderBlock {
  constructor(config, weights, name) {
    this.norm1 = [weights[`${name}.norm1.weight`], weights[`${name}.norm1.bias`], config.norm_eps];
    this.attn = new MultiHeadSelfAttention(config, weights, `${name}.attn`);
    this.norm2 = [weights[`${name}.norm2.weight`], weights[`${name}.norm2.bias`], config.norm_eps];
    this.mlp = new MLP(weights, `${name}.mlp`);
  }

  forward(x, T, cut, reads) { // (T, D) → (T, D), and what the attention tells of the class token
    const { out, ...seen } = this.attn.forward(layerNorm(x, ...this.norm1), T, cut, reads);
    x = add(x, out); // Eq. 2
    return { x: add(x, this.mlp.forward(layerNorm(x, ...this.norm2), T)), ...seen }; // Eq. 3
  }
}

class VisionTransformer {
  // `config` as in ViTConfig, `weights` as in the checkpoint: Float32Arrays by name.
  constructor(config, weights) {
    this.config = config;
    this.proj = [weights['patch_embed.proj.weight'], weights['patch_embed.proj.bias']]; // (D, C·P·P)
    this.cls_token = weights['cls_token.weight']; // (D,)
    this.pos_embed = weights['pos_embed.weight']; // (T, D)
    this.blocks = [...Array(config.depth).keys()].map((k) => new EncoderBlock(config, weights, `blocks.${k}`));
    this.norm = [weights['norm.weight'], weights['norm.bias'], config.norm_eps];
    this.head = [weights['head.weight'], weights['head.bias']]; // (K, D), (K,)
    this.T = this.pos_embed.length / config.embed_dim;
  }

  // Image (C, H, W), bytes 0 … 255, → logits (K,), and for each block what happens to the class token.
  //
  // What can be changed: `cls_token` (D,), another class token; `cls_position`, false: the class
  // token goes without its position; `positions`, false: the patches go without theirs; `cut`, the
  // blocks, from 0, in which the class token is cut off; `reads` (L, D), if given: what it reads in
  // those blocks instead; `read_from`, the token that the head reads, 0 the class token.
  forward(image, { cls_token = this.cls_token, cls_position = true, positions = true, cut = [], reads = null,
    read_from = 0 } = {}) {
    const { in_channels: C, patch_size: P, embed_dim: D } = this.config, { T } = this;
    const [H, W] = [this.config.image_size].flat().length === 2 ? this.config.image_size
      : [this.config.image_size, this.config.image_size];
    const normalized = Float32Array.from(image, (byte) => byte / 127.5 - 1);
    const patches = linear(patchify(normalized, C, H, W, P), ...this.proj, T - 1); // (N, D)
    let x = new Float32Array(T * D); // Eq. 1
    for (let i = 0; i < T * D; i++) {
      const token = i < D ? cls_token[i] : patches[i - D];
      x[i] = token + ((i < D ? cls_position : positions) ? this.pos_embed[i] : 0);
    }
    const tokens = [x.slice(0, D)], attention = [], read = []; // class tokens (L + 1, D); (L, h, T); (L, D)
    this.blocks.forEach((block, k) => {
      const isCut = cut.includes(k);
      const seen = block.forward(x, T, isCut && !reads, isCut && reads ? reads[k] : null);
      x = seen.x;
      tokens.push(x.slice(0, D));
      attention.push(seen.attention);
      read.push(seen.reads);
    });
    const last = layerNorm(x.slice(read_from * D, (read_from + 1) * D), ...this.norm);
    return { logits: linear(last, ...this.head, 1), tokens, attention, reads: read }; // Eq. 4
  }
}
