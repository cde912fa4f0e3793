// What is shown of a state, at once and when the model has answered; and the beginning.

function bars(list) { // a bar for each class; gives what fills them
  const rows = classNames.map((name) => {
    const row = make('li', list);
    make('span', row, {}, name);
    return { row, fill: make('i', make('div', row, { class: 'bar' })), number: make('span', row) };
  });
  return (shares, words, most = shares.indexOf(Math.max(...shares))) => rows.forEach(({ row, fill, number }, k) => {
    fill.style.width = `${100 * Math.min(Math.max(shares[k], 0), 1)}%`;
    number.textContent = words(shares[k]);
    row.classList.toggle('most', k === most);
  });
}

const showShares = bars($('answer'));
const marks = [...document.querySelectorAll('#answer .bar')].map((bar) => make('b', bar));

const cards = [...Array(L + 1).keys()].map((k) => {
  const card = make('section', document.querySelector('.blocks'), { class: 'block', 'aria-label': k ? `block ${k}` : 'start' });
  make('h3', card, {}, k ? `block ${k}` : 'start');
  const left = make('div', card);
  const canvas = make('canvas', left, { role: 'img', width: 5 * W, height: 5 * H });
  const caption = make('p', left);
  const list = make('ul', card, { class: 'bars', 'aria-label': 'what a probe reads from the class token' });
  const label = k && make('label', card);
  const box = label && make('input', label, { type: 'checkbox', 'aria-label': `cut the class token off in block ${k}` });
  if (label) {
    label.append('cut off here');
    box.addEventListener('change', () => change({ cut: blockNumbers.filter((j) => (j === k - 1 ? box.checked : state.cut.includes(j))) }));
  }
  list.hidden = !data.hasProbes;
  return { card, canvas, caption, fill: bars(list), box };
});

const meanOfHeads = (attention) => { // (h, T) → (T,)
  const h = config.num_heads, T = attention.length / h;
  return [...Array(T).keys()].map((j) => [...Array(h).keys()].reduce((sum, head) => sum + attention[head * T + j] / h, 0));
};

function sharesOf(attention) {
  const head = $('head').selectedIndex - 1, T = N + 1;
  return head < 0 ? meanOfHeads(attention) : [...attention.slice(head * T, (head + 1) * T)];
}

// At once, before the model has answered: the picture, and where the controls stand.
function show() {
  const { picture, drawn, order, erased, cut, noise, readFrom } = state;
  const canvas = $('picture'), pixels = changed(drawn ?? picture.pixels, size, state);
  Object.assign(canvas, { width: W, height: H });
  canvas.getContext('2d').drawImage(asCanvas(pixels, H, W), 0, 0);
  patchButtons.forEach((button, n) => {
    const isErased = erased.includes(order[n]);
    button.setAttribute('aria-label', `${place(n)}${isErased ? ', erased' : ''}${readFrom === n ? ', read from here' : ''}`);
    button.classList.toggle('read', readFrom === n);
  });
  $('read-class').classList.toggle('read', readFrom === null);
  $('read-class').firstChild.textContent = { zeros: '0', nothing: '0', ten: '× 10', noise: '?' }[state.token] ?? '';
  $('read-class').setAttribute('aria-label', `class token${readFrom === null ? ', read from here' : ''}`);
  for (const other of pictures) other.button.setAttribute('aria-pressed', other === picture);
  $('without').checked = !state.positions;
  const sameCut = CUTS.findIndex(([, blocks]) => String(blocks) === String(cut));
  $('cut').selectedIndex = sameCut < 0 ? CUTS.length : sameCut;
  for (const name of ['how', 'token']) document.querySelector(`[name=${name}][value=${state[name]}]`).checked = true;
  $('noise').value = noise;
  $('noise-said').textContent = noise ? `±${noise} of 255` : 'none';
  const badges = { erased: erased.length || '', shuffled: [order !== inOrder && 'shuffled', !state.positions && 'no positions'].filter(Boolean).join(', '),
    cut: cut.length ? inBlocks(cut) : '', token: { trained: '', nothing: 'zeros, no position', ten: '× 10' }[state.token] ?? state.token,
    read: readFrom === null ? '' : place(readFrom), noise: noise || '' };
  for (const [name, words] of Object.entries(badges)) document.querySelector(`[data-badge=${name}]`).textContent = words;
  $('undo').disabled = !past.length;
  $('reset').disabled = isUntouched(state);
  cards.forEach(({ card, box }, k) => {
    if (!box) return;
    box.checked = cut.includes(k - 1);
    card.classList.toggle('cut', box.checked);
  });
  compute().catch((error) => trouble(`The model could not answer: ${error.message}`));
}

const softmaxOf = (logits) => {
  const powers = [...logits].map((logit) => Math.exp(logit - Math.max(...logits)));
  return powers.map((power) => power / powers.reduce((a, b) => a + b));
};
const best = (shares) => {
  const k = shares.indexOf(Math.max(...shares));
  return `${classNames[k]} ${percent(shares[k])}`;
};

function showAnswer() {
  const { picture, drawn, noise } = shown;
  const shares = softmaxOf(answer.logits), before = softmaxOf(picture.answer.logits);
  showShares(shares, (share) => percent(share, 1));
  marks.forEach((mark, k) => { mark.style.left = `${100 * before[k]}%`; });
  const words = changesInWords(shown);
  $('verdict').textContent = best(shares);
  $('changes').textContent = words.length ? `Untouched: ${best(before)}. Changed: ${words.join('; ')}.` : '';
  const seen = picture.isSharp && !drawn && !noise ? sharpChanged(picture.sharp, size, shown)
    : asCanvas(changed(drawn ?? picture.pixels, size, shown), H, W);
  showJourney(seen, pale(seen));
  $('speed').textContent = `One picture takes this machine ${Math.round(answer.milliseconds)} ms.`;
  clearTimeout(saying);
  saying = setTimeout(() => { $('said').textContent = `${$('verdict').textContent}. ${$('changes').textContent}`; }, 1000);
}
let saying; // a screen reader is told when the reader has paused

function showJourney(seen, paleCopy) {
  cards.forEach(({ canvas, caption, fill }, k) => {
    if (k) {
      const shares = sharesOf(answer.attention[k - 1]), patches = shares.slice(1), most = Math.max(...patches);
      paintAttention(canvas, paleCopy, patches, size);
      const isCut = shown.cut.includes(k - 1);
      const where = `most at ${place(patches.indexOf(most))}, ${percent(most, 1)}`;
      canvas.setAttribute('aria-label', isCut && shown.how !== 'mean' ? 'no attention to patches' : `attention of the class token: ${where}`);
      caption.textContent = !isCut ? `full purple: ${percent(most, 1)}, to itself: ${percent(shares[0], 1)}`
        : shown.how === 'mean' ? 'what it reads is replaced by a mean' : 'cut off: all attention to itself';
    } else {
      canvas.setAttribute('aria-label', 'the picture');
      Object.assign(canvas.getContext('2d'), { imageSmoothingEnabled: seen.width > W }).drawImage(seen, 0, 0, canvas.width, canvas.height);
      caption.textContent = 'before block 1';
    }
    if (answer.scores) fill([...answer.scores[k]], (score) => score.toFixed(2).replace('-0.00', '0.00').replace('-', '−'), k ? undefined : -1);
  });
}

// --- the beginning ------------------------------------------------------------------------------

for (const words of ['the mean of the heads', ...[...Array(config.num_heads).keys()].map((head) => `head ${head}`)]) make('option', $('head'), {}, words);
$('head').addEventListener('change', showAnswer);
for (const [name, words] of [['patch-count', N], ['class-count', classNames.length], ['chance', (1 / classNames.length).toFixed(2)]])
  for (const element of document.querySelectorAll(`.${name}`)) element.textContent = words;
document.querySelector('.of-probes').hidden = !data.hasProbes;
const parameters = data.tensors.reduce((sum, [name, length]) => (name.startsWith('probes.') ? sum : sum + length), 0);
$('about').textContent = `The model has ${L} blocks of ${config.num_heads} heads, tokens of ${config.embed_dim} numbers, and ${parameters.toLocaleString('en')} weights, which are all in this page.`;
showTool();

async function begin() {
  for (const picture of await Promise.all(data.pictures.map(bytesOf))) addPicture(...picture);
  $('mean-choice').hidden = pictures.filter((picture) => picture.isPhoto).length < 2;
  change({ ...untouched, picture: pictures[0] });
}
begin().catch((error) => trouble(`The model could not be unpacked: ${error.message}`));
