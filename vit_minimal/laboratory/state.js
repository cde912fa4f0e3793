// The state of the page, from which everything that is shown follows; every control makes a new one.
// And the worker, which computes what the model answers in that state.

const data = JSON.parse(document.getElementById('data').textContent);
const { config, classNames } = data;
const [H, W] = [config.image_size].flat().length === 2 ? config.image_size : [config.image_size, config.image_size];
const P = config.patch_size, columns = W / P, N = columns * H / P, L = config.depth;
const size = { H, W, P };
const blockNumbers = [...Array(L).keys()], inOrder = [...Array(N).keys()];
const $ = (id) => document.getElementById(id);
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;
const place = (n) => `row ${Math.floor(n / columns) + 1}, column ${n % columns + 1}`;

function make(tag, parent, attributes = {}, text = '') {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return parent.appendChild(element);
}

// --- the worker, which holds the model ----------------------------------------------------------

const script = new Blob([$('worker').textContent], { type: 'text/javascript' });
const worker = new Worker(URL.createObjectURL(script));
const waiting = new Map(); // id → what to do with the answer
worker.onmessage = ({ data: { id, error, ...answer } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(answer);
};
worker.onerror = () => trouble('This browser does not let the page compute: try another one, or open the saved page itself.');

let asked = 0;
function ask(what, details) {
  return new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject });
    worker.postMessage({ id: asked, ask: what, ...details });
  });
}

const loaded = ask('load', { config, tensors: data.tensors, numbers: data.numbers, hasProbes: data.hasProbes });

// --- the state, and the way back ----------------------------------------------------------------

// `erased` are patches, and `order` says which patch stands in each place; `readFrom` is a place, or null
// for the class token; `drawn` the pixels of a picture that was drawn on.
const untouched = {
  drawn: null, erased: [], order: inOrder, positions: true, cut: [], how: 'knock-out', token: 'trained', tokenSeed: 1,
  readFrom: null, noise: 0, noiseSeed: 1,
};
const past = [];
let state, stroke; // of several changes in one stroke only the last is kept

function change(changes, ofStroke = null) {
  if (state && !(ofStroke && ofStroke === stroke)) past.push(state);
  stroke = ofStroke;
  state = { ...state, ...changes };
  trouble(''); // whatever it was about, the reader has gone on
  show();
}

function undo() {
  if (!past.length) return;
  state = past.pop();
  stroke = null;
  show();
}

const isUntouched = (state) => changesInWords(state).length === 0;

const inBlocks = (cut) => `block${cut.length > 1 ? 's' : ''} ${cut.map((k) => k + 1).join(', ')}`;

function changesInWords({ drawn, erased, order, positions, cut, how, token, readFrom, noise }) {
  const names = { zeros: 'zeros for the class token', nothing: 'zeros for the class token, without its position',
    ten: 'ten times the class token', noise: 'noise for the class token' };
  return [
    drawn && 'drawn on',
    erased.length && `${erased.length} ${erased.length === 1 ? 'patch' : 'patches'} erased`,
    order !== inOrder && 'shuffled',
    !positions && 'no positions',
    cut.length && `${how === 'mean' ? 'mean' : 'knock-out'} in ${inBlocks(cut)}`,
    names[token],
    readFrom !== null && `read from ${place(readFrom)}`,
    noise && `noise of ${noise}`,
  ].filter(Boolean);
}

// What the model gets in a state.
function request({ picture, drawn, readFrom, ...state }) {
  return {
    image: changed(drawn ?? picture.pixels, size, state),
    token: state.token, seed: state.tokenSeed, positions: state.positions, cut: state.cut,
    reads: state.how === 'mean' && state.cut.length ? picture.reads : null,
    read_from: readFrom === null ? 0 : readFrom + 1, // token 0 is the class token
  };
}

// Computes until the newest state is on the page. What was overtaken meanwhile is never computed.
let shown, answer, busy = false;
async function compute() {
  if (busy) return;
  busy = true;
  document.body.ariaBusy = 'true';
  await loaded; // what the reader does meanwhile counts
  while (shown !== state) {
    const wanted = state, { picture } = wanted;
    picture.answer ??= await ask('look', request({ ...untouched, picture })); // untouched
    if (wanted.how === 'mean' && wanted.cut.length && !picture.reads) {
      const others = pictures.filter((other) => other.isPhoto && other !== picture);
      Object.assign(picture, await ask('meanReads', { images: others.map((other) => other.pixels) }));
    }
    answer = isUntouched(wanted) ? picture.answer : await ask('look', request(wanted));
    shown = wanted;
    showAnswer();
  }
  busy = false;
  document.body.ariaBusy = 'false';
}
