// What a reader can do, and how it changes the state: pictures, patches, and the other controls.

// --- pictures to choose -------------------------------------------------------------------------

const pictures = [];

function addPicture(name, pixels, sharp, isPhoto) {
  const picture = { name, pixels, isPhoto, sharp: sharp ?? asCanvas(pixels, H, W), isSharp: Boolean(sharp) };
  const button = make('button', document.querySelector('.thumbs'), { type: 'button', 'aria-label': name, title: name });
  const canvas = make('canvas', button, { width: 96, height: 96 * H / W, 'aria-hidden': true });
  Object.assign(canvas.getContext('2d'), { imageSmoothingEnabled: Boolean(sharp) }).drawImage(picture.sharp, 0, 0, canvas.width, canvas.height);
  button.addEventListener('click', () => change({ picture, drawn: null }));
  Object.assign(picture, { button });
  pictures.push(picture);
  return picture;
}

async function bytesOf({ name, pixels, sharp }) {
  const bytes = Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0));
  if (!sharp) return [name, bytes, null, false];
  const image = Object.assign(new Image(), { src: sharp });
  await image.decode();
  return [name, bytes, cutOut(image, H, W), true];
}

function trouble(sentence) {
  $('trouble').textContent = sentence;
}

async function takeFile(file) {
  if (!file) return;
  trouble(''); // of a file before
  try {
    const { pixels, sharp } = await readPicture(file, H, W);
    change({ picture: addPicture(file.name || 'your picture', pixels, sharp, false), drawn: null });
  } catch (error) {
    trouble(error.message);
  }
}

for (const id of ['file', 'camera'])
  $(id).addEventListener('change', async ({ target }) => {
    await takeFile(target.files[0]);
    target.value = ''; // so that the same file can be chosen again
  });
if (!matchMedia('(any-pointer: coarse)').matches) $('camera-button').hidden = true;

// Only files: text or a link that is dragged over the page is none of its business
const hasFile = (event) => event.dataTransfer?.types.includes('Files');
addEventListener('dragover', (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  document.body.classList.add('over');
});
addEventListener('dragleave', (event) => { if (!event.relatedTarget) document.body.classList.remove('over'); });
addEventListener('drop', (event) => {
  document.body.classList.remove('over');
  if (!hasFile(event)) return;
  event.preventDefault();
  takeFile(event.dataTransfer.files[0]);
});
$('sheet').addEventListener('click', () => {
  document.querySelector('[name=tool][value=draw]').click();
  change({ picture: pictures.find((picture) => picture.name === 'white sheet')
    ?? addPicture('white sheet', new Uint8Array(3 * H * W).fill(255), null, false), drawn: null });
});

// --- the patches: erased, drawn on, read --------------------------------------------------------

const tool = () => document.querySelector('[name=tool]:checked').value;
const HINTS = {
  erase: 'Drag over patches to erase them, and from an erased one to put patches back.',
  draw: 'Drag to draw. With the keyboard, Enter fills a patch.',
  read: 'Click the patch, or the class token, that the answer is to be read from.',
};
const patchesBox = document.querySelector('.patches');
patchesBox.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
const patchButtons = inOrder.map((n) => make('button', patchesBox, { type: 'button', tabindex: n ? -1 : 0 }));

function erase(n, isErased, ofStroke) {
  const patch = state.order[n], erased = state.erased.filter((other) => other !== patch);
  if (isErased) erased.push(patch);
  if (erased.length !== state.erased.length) change({ erased }, ofStroke);
}

// The pixels (x, y), in the order in which they are shown, get the colour.
function draw(points, ofStroke) {
  const drawn = (state.drawn ?? state.picture.pixels).slice();
  const colour = [1, 3, 5].map((at) => parseInt($('colour').value.slice(at, at + 2), 16));
  for (const [x, y] of points) {
    if (x < 0 || y < 0 || x >= W || y >= H) continue;
    const patch = state.order[Math.floor(y / P) * columns + Math.floor(x / P)]; // that is shown there
    const at = (Math.floor(patch / columns) * P + y % P) * W + (patch % columns) * P + x % P;
    colour.forEach((byte, c) => { drawn[c * H * W + at] = byte; });
  }
  change({ drawn }, ofStroke);
}

const square = (x, y, from, to) => {
  const steps = [...Array(to - from).keys()].map((i) => i + from);
  return steps.flatMap((dy) => steps.map((dx) => [x + dx, y + dy]));
};

function press(n) { // by the keyboard
  const mark = {};
  if (tool() === 'erase') erase(n, !state.erased.includes(state.order[n]), mark);
  else if (tool() === 'read') change({ readFrom: n });
  else draw(square((n % columns) * P, Math.floor(n / columns) * P, 0, P), mark);
}

let dragged = null; // a drag that is under way: its stroke, whether it erases, where it was
function drag(event) {
  const box = patchesBox.getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left) / box.width * W), y = Math.floor((event.clientY - box.top) / box.height * H);
  if (tool() !== 'draw' && (x < 0 || y < 0 || x >= W || y >= H)) return;
  const n = Math.floor(y / P) * columns + Math.floor(x / P);
  dragged ??= { mark: {}, erases: !state.erased.includes(state.order[n]), x, y };
  if (tool() === 'erase') erase(n, dragged.erases, dragged.mark);
  else if (tool() === 'read') { if (state.readFrom !== n) change({ readFrom: n }, dragged.mark); }
  else {
    const far = Math.max(Math.abs(x - dragged.x), Math.abs(y - dragged.y), 1);
    const points = [...Array(far + 1).keys()].flatMap((i) => square(
      Math.round(dragged.x + (x - dragged.x) * i / far), Math.round(dragged.y + (y - dragged.y) * i / far), -1, 2));
    draw(points, dragged.mark);
    Object.assign(dragged, { x, y });
  }
}
patchesBox.addEventListener('pointerdown', (event) => {
  if (event.button) return;
  patchesBox.setPointerCapture(event.pointerId);
  drag(event);
});
patchesBox.addEventListener('pointermove', (event) => {
  if (dragged) for (const part of event.getCoalescedEvents?.() ?? [event]) drag(part);
});
for (const name of ['pointerup', 'pointercancel']) patchesBox.addEventListener(name, () => { dragged = null; });
patchButtons.forEach((button, n) => {
  button.addEventListener('click', (event) => { if (event.detail === 0) press(n); }); // not of a pointer
  button.addEventListener('focus', () => patchButtons.forEach((other, m) => { other.tabIndex = m === n ? 0 : -1; }));
  button.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (!step) return;
    event.preventDefault(); // no scrolling
    patchButtons[n + step]?.focus();
  });
});

// --- the controls -------------------------------------------------------------------------------

const on = (id, does) => $(id).addEventListener('click', does);
const anySeed = () => Math.floor(Math.random() * 2 ** 31);

function shuffledCopy(list) { // Fisher and Yates
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

function eraseEight(ranked) {
  const more = ranked.filter((patch) => !state.erased.includes(patch)).slice(0, 8);
  if (more.length) change({ erased: [...state.erased, ...more] });
}

on('erase-most', () => {
  const shares = meanOfHeads(answer.attention[L - 1]);
  eraseEight([...inOrder].sort((one, other) => shares[other + 1] - shares[one + 1]).map((n) => state.order[n]));
});
on('erase-any', () => eraseEight(shuffledCopy(inOrder)));
on('erase-none', () => { if (state.erased.length) change({ erased: [] }); });
on('shuffle', () => change({ order: shuffledCopy(inOrder) }));
on('in-order', () => { if (state.order !== inOrder) change({ order: inOrder }); });
$('without').addEventListener('change', ({ target }) => change({ positions: !target.checked }));

const CUTS = [['nowhere', []]]; // what the list offers: words, blocks
for (const [words, which] of [['in block', (k, j) => j === k], ['from block', (k, j) => j >= k], ['up to block', (k, j) => j <= k]])
  for (const k of blockNumbers)
    CUTS.push([`${words} ${k + 1}${words === 'in block' ? ' only' : words === 'from block' ? ' on' : ''}`, blockNumbers.filter((j) => which(k, j))]);
for (const [words] of CUTS) make('option', $('cut'), {}, words);
make('option', $('cut'), { disabled: '' }, 'as chosen below the maps');
$('cut').addEventListener('change', ({ target }) => change({ cut: CUTS[target.selectedIndex][1] }));

for (const [name, key] of [['how', 'how'], ['token', 'token']])
  for (const input of document.querySelectorAll(`[name=${name}]`)) input.addEventListener('change', () => change({ [key]: input.value }));
on('other-token', () => change({ token: 'noise', tokenSeed: anySeed() }));
on('read-class', () => { if (state.readFrom !== null) change({ readFrom: null }); });
$('noise').addEventListener('input', ({ target }) => change({ noise: +target.value }, target));
$('noise').addEventListener('change', () => { stroke = null; });
on('other-noise', () => change({ noiseSeed: anySeed(), noise: state.noise || 30 }));
on('undo', undo);
on('reset', () => { if (!isUntouched(state)) change({ ...untouched }); });
addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === 'z') {
    event.preventDefault();
    undo();
  }
});
for (const input of document.querySelectorAll('[name=tool]')) input.addEventListener('change', showTool);

function showTool() {
  $('colour').hidden = tool() !== 'draw';
  $('picture-hint').textContent = HINTS[tool()];
}
