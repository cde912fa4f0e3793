// Pictures as arrays: reading a reader's own as vit_minimal's `load_image` does, changing them patch by
// patch, and painting them. An image is (3, H, W) bytes, row by row, as the model gets it.

const MOST_PIXELS = 40e6; // of a reader's picture: more could take a phone's memory
const LARGEST = 1024; // pixels along the shorter side: the browser shrinks what is larger, before we do
const GREY = 128; // of an erased patch

// What the weights of a bicubic resize are, from `from` to `from + length` of `inputs` pixels to `outputs`:
// for each output where its pixels begin, and their weights. As Pillow: a = −0.5, and on the way
// down the kernel is as wide as the pixels that become one.
function bicubic(inputs, from, length, outputs) {
  const scale = length / outputs, wide = Math.max(scale, 1);
  const kernel = (x) => {
    x = Math.abs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
  };
  return Array.from({ length: outputs }, (_, to) => {
    const centre = from + (to + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - 2 * wide + 0.5), 0);
    const last = Math.min(Math.trunc(centre + 2 * wide + 0.5), inputs);
    const weights = Array.from({ length: last - first }, (_, i) => kernel((first + i - centre + 0.5) / wide));
    const total = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

// RGBA bytes (height, width, 4) → image (3, H, W): scaled until it covers (H, W), the rest cut off evenly.
function fit({ data, width, height }, H, W) {
  const ratio = W / H, wide = width / height >= ratio;
  const [boxWidth, boxHeight] = wide ? [ratio * height, height] : [width, width / ratio];
  const columns = bicubic(width, (width - boxWidth) / 2, boxWidth, W);
  const rows = bicubic(height, (height - boxHeight) / 2, boxHeight, H);
  const image = new Uint8Array(3 * H * W);
  const line = new Uint8ClampedArray(height * W); // of one colour, resized from left to right; it rounds
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < height; y++)
      columns.forEach(({ first, weights }, x) => {
        line[y * W + x] = weights.reduce((sum, weight, i) => sum + weight * data[(y * width + first + i) * 4 + c], 0);
      });
    const rounded = new Uint8ClampedArray(image.buffer, c * H * W, H * W);
    rows.forEach(({ first, weights }, y) => {
      for (let x = 0; x < W; x++)
        rounded[y * W + x] = weights.reduce((sum, weight, i) => sum + weight * line[(first + i) * W + x], 0);
    });
  }
  return image;
}

// A file of the reader → its image (3, H, W) and a sharper canvas to show. An Error says in one sentence
// why it cannot be used.
async function readPicture(file, H, W) {
  const name = file.name || 'This';
  if (file.type.startsWith('image/svg') || /\.svgz?$/i.test(name))
    throw new Error(`${name} is an SVG, which has lines and no pixels: save it as a PNG, and choose that.`);
  const picture = new Image();
  const address = URL.createObjectURL(file);
  const unreadable = () => {
    throw new Error(`${name} is no picture that this browser can read: choose a JPEG, PNG or WebP.`);
  };
  try {
    const sizeIsKnown = new Promise((resolve, reject) => Object.assign(picture, { onload: resolve, onerror: reject }));
    picture.src = address;
    await sizeIsKnown.catch(unreadable);
    const { naturalWidth: width, naturalHeight: height } = picture; // upright, as its EXIF entry says
    if (width * height > MOST_PIXELS)
      throw new Error(`${name} has ${Math.round(width * height / 1e6)} million pixels, and this page takes up to `
        + `${MOST_PIXELS / 1e6} million: choose a smaller copy.`);
    await picture.decode().catch(unreadable); // only now does it take the memory
    const smaller = Math.min(1, LARGEST / Math.min(width, height));
    const canvas = onWhite(picture, Math.round(width * smaller), Math.round(height * smaller));
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return { pixels: fit(pixels, H, W), sharp: cutOut(canvas, H, W) };
  } finally {
    URL.revokeObjectURL(address);
  }
}

function onWhite(picture, width, height) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.fillStyle = 'white'; // where the picture is transparent, as load_image has it
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, 0, 0, width, height);
  return canvas;
}

// The part of a picture that the model gets, five times as sharp.
function cutOut(picture, H, W) {
  const { width, height } = picture, scale = Math.min(width / W, height / H);
  const canvas = Object.assign(document.createElement('canvas'), { width: 5 * W, height: 5 * H });
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, (width - W * scale) / 2, (height - H * scale) / 2, W * scale, H * scale,
    0, 0, canvas.width, canvas.height);
  return canvas;
}

// --- changes ------------------------------------------------------------------------------------

// What the model gets: noise first (standard deviation in grey levels), then the erased patches, then
// the new order: place n holds patch order[n].
function changed(pixels, { H, W, P }, { noise, noiseSeed, erased, order }) {
  const image = Uint8ClampedArray.from(pixels); // rounds, and keeps to 0 … 255
  if (noise) gaussians(image.length, noiseSeed).forEach((number, i) => { image[i] = pixels[i] + noise * number; });
  const shuffled = new Uint8Array(image.length), columns = W / P;
  order.forEach((patch, place) => {
    for (let c = 0; c < 3; c++)
      for (let y = 0; y < P; y++)
        for (let x = 0; x < P; x++) {
          const at = (n) => (c * H + Math.floor(n / columns) * P + y) * W + (n % columns) * P + x;
          shuffled[at(place)] = erased.includes(patch) ? GREY : image[at(patch)];
        }
  });
  return shuffled;
}

// --- painting -----------------------------------------------------------------------------------

// An image (3, H, W) on a canvas of as many pixels.
function asCanvas(image, H, W) {
  const canvas = Object.assign(document.createElement('canvas'), { width: W, height: H });
  const pixels = new ImageData(W, H);
  for (let i = 0; i < H * W; i++)
    pixels.data.set([image[i], image[H * W + i], image[2 * H * W + i], 255], 4 * i);
  canvas.getContext('2d').putImageData(pixels, 0, 0);
  return canvas;
}

// A sharp picture with its patches erased and in their new order.
function sharpChanged(sharp, { H, W, P }, { erased, order }) {
  const canvas = Object.assign(document.createElement('canvas'), { width: sharp.width, height: sharp.height });
  const context = canvas.getContext('2d'), columns = W / P, side = sharp.width * P / W;
  context.fillStyle = `rgb(${GREY}, ${GREY}, ${GREY})`;
  order.forEach((patch, place) => {
    const [from, to] = [patch, place].map((n) => [(n % columns) * side, Math.floor(n / columns) * side, side, side]);
    if (erased.includes(patch)) context.fillRect(...to);
    else context.drawImage(sharp, ...from, ...to);
  });
  return canvas;
}

// A pale grey copy of a picture, as the figures of the notebooks have it.
function pale(picture) {
  const canvas = onWhite(picture, picture.width, picture.height), context = canvas.getContext('2d');
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height), { data } = pixels;
  const brightness = Float32Array.from({ length: data.length / 4 },
    (_, i) => (data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 3);
  const low = brightness.reduce((a, b) => Math.min(a, b)), high = brightness.reduce((a, b) => Math.max(a, b));
  brightness.forEach((bright, i) => {
    data.fill(255 * (0.45 + 0.55 * (bright - low) / Math.max(high - low, 1e-9)), 4 * i, 4 * i + 3);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// Over a pale picture each patch as purple as its share of the largest, as `diagrams.attention_over`.
function paintAttention(canvas, picture, shares, { H, W, P }) {
  const context = canvas.getContext('2d'), most = shares.reduce((a, b) => Math.max(a, b));
  context.imageSmoothingEnabled = picture.width > W; // what the model sees has edges
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const wide = canvas.width * P / W, high = canvas.height * P / H, columns = W / P;
  shares.forEach((share, n) => {
    context.fillStyle = `rgba(170, 68, 153, ${0.85 * share / Math.max(most, 1e-12)})`; // ATTENTION, #AA4499
    context.fillRect((n % columns) * wide, Math.floor(n / columns) * high, wide, high);
  });
}
