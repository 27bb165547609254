// A session as a picture: a bar for each turn, so that a broken cache is seen at a glance. No library: rectangles.

import {h} from './dom.js';
import {compact, money, number, share, t} from './words.js';

const NAMESPACE = 'http://www.w3.org/2000/svg';
const SIZE = {marks: 40, input: 130, output: 34, kinds: 8, left: 46, right: 10};
const BOTTOM = SIZE.marks + SIZE.input + SIZE.output + 6;
const HEIGHT = BOTTOM + SIZE.kinds;

/** An element of SVG. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat(Infinity).filter(Boolean));
  return element;
}

/** What stands above a bar, the gravest first: shapes, since a colour alone says nothing to many. */
const MARKS = [
  ['error', ({turn}) => turn.is_error, 'M-4 -4 L4 4 M4 -4 L-4 4'],
  ['broken', ({turn}) => turn.prompt_cache.by, 'M-5 -4 H5 L0 5 Z'],
  ['compacted', ({turn}) => turn.prompt_cache.compacted, 'M0 -5 L5 0 L0 5 L-5 0 Z'],
  ['retried', ({turn}) => turn.retried.length || turn.mended || turn.fallbacks.length, 'M4 0 A4 4 0 1 1 0 -4 L3 -4 M0 -4 L2 -6 M0 -4 L2 -2'],
  ['reasoning', ({turn}) => Object.keys(turn.reasoning).length, 'M-3 0 A3 3 0 1 0 3 0 A3 3 0 1 0 -3 0 Z'],
];
const MOST_MARKS = 3;

/** The figure. `rows`: the turns with their numbers; `room`: its width; `pick(id)` is called where one is clicked. */
export function chart(rows, room, pick) {
  const step = Math.max(6, Math.min(72, Math.floor((room - SIZE.left - SIZE.right) / Math.max(1, rows.length))));
  const width = SIZE.left + step * rows.length + SIZE.right;
  const inputs = Math.max(1, ...rows.map(({turn}) => turn.usage.input ?? 0));
  const outputs = Math.max(1, ...rows.map(({turn}) => turn.usage.output ?? 0));
  const axis = SIZE.marks + SIZE.input;
  const x = (place) => SIZE.left + place * step;
  const used = new Set();
  const bars = rows.map((row, place) => {
    const marks = MARKS.filter(([, has]) => has(row)).slice(0, MOST_MARKS);
    for (const [name] of marks) used.add(name);
    return svg('g', {},
      svg('title', {}, said(row)),
      svg('rect', {class: 'hit', x: x(place), y: 0, width: step, height: HEIGHT, 'data-turn': row.turn.id}),
      segments(row.turn, x(place) + 1, step - 2, axis, inputs, outputs),
      lane(row.turn, x(place) + 1, step - 2),
      marks.map(([name, , shape], row_) => svg('path', {class: `mark ${name}`, d: shape, transform: `translate(${x(place) + step / 2} ${SIZE.marks - 7 - 12 * row_})`})));
  });
  const picture = svg('svg', {class: 'chart', viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: 'img', 'aria-label': summary(rows)},
    hatching(),
    svg('line', {class: 'axis', x1: SIZE.left, y1: axis, x2: width - SIZE.right, y2: axis}),
    svg('text', {x: SIZE.left - 6, y: SIZE.marks + 10, 'text-anchor': 'end'}, compact(inputs)),
    svg('text', {x: SIZE.left - 6, y: axis + SIZE.output, 'text-anchor': 'end'}, compact(outputs)),
    bars, costLine(rows, x, step, axis));
  picture.addEventListener('click', (event) => {
    const hit = event.target.closest('g')?.querySelector('[data-turn]');
    if (hit) pick(hit.getAttribute('data-turn'));
  });
  return h('figure.session-chart', {},
    h('div.scrolls', {tabindex: '0', role: 'group', 'aria-label': t('session.chart-scrolls')}, picture),
    legend(rows, used));
}

function segments(turn, x, width, axis, inputs, outputs) {
  const {input = 0, cached = 0, output = 0} = turn.usage;
  const missed = Math.min(turn.prompt_cache.missed ?? 0, Math.max(0, input - cached));
  let y = axis;
  const made = [['cached', cached], ['missed', missed], ['fresh', Math.max(0, input - cached - missed)]].filter(([, size]) => size > 0).map(([name, size]) => {
    const height = (SIZE.input * size) / inputs;
    y -= height;
    return svg('rect', {class: name, x, y, width, height});
  });
  if (output) made.push(svg('rect', {class: 'output', x, y: axis + 2, width, height: Math.max(1, (SIZE.output * output) / outputs)}));
  if (!turn.over) made.push(svg('rect', {class: 'under-way', x, y: SIZE.marks, width, height: SIZE.input}));
  return made;
}

function lane(turn, x, width) {
  if (turn.kind !== 'subagent' && turn.kind !== 'helper') return null;
  return svg('rect', {class: `lane ${turn.kind}`, x, y: BOTTOM, width, height: SIZE.kinds - 2});
}

function hatching() {
  return svg('defs', {}, svg('pattern', {id: 'hatched', width: 5, height: 5, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)'},
    svg('rect', {class: 'hatch-ground', width: 5, height: 5}), svg('rect', {class: 'hatch-line', width: 2, height: 5})));
}

/** The running sum of what the turns cost, in the currency of most of them. */
function costLine(rows, x, step, axis) {
  const currency = Object.keys(rows.at(-1)?.sum ?? {})[0];
  const total = currency && rows.at(-1).sum[currency];
  if (!total || rows.length < 2) return null;
  const points = rows.map((row, place) => `${x(place) + step / 2},${axis - (SIZE.input * (row.sum[currency] ?? 0)) / total}`);
  return svg('polyline', {class: 'cost', points: points.join(' ')});
}

function said({turn, number: place, sum}) {
  const {input = 0, cached, output = 0} = turn.usage;
  return [
    t('session.turn', {number: number(place)}), turn.model,
    t('session.tokens', {input: compact(input), output: compact(output)}),
    cached !== undefined && input ? t('session.cached', {share: share(cached / input)}) : '',
    Object.keys(turn.cost).length ? `${money(turn.cost)} (Σ ${money(sum)})` : '',
  ].filter(Boolean).join(' · ');
}

function summary(rows) {
  const broken = rows.filter(({turn}) => turn.prompt_cache.by).map((row) => number(row.number));
  return [t('session.chart-of', {count: number(rows.length)}), broken.length ? t('session.chart-broken', {turns: broken.slice(0, 20).join(', ')}) : ''].filter(Boolean).join(' ');
}

function legend(rows, used) {
  const has = (name, test) => (rows.some(({turn}) => test(turn)) ? name : null);
  const swatches = [
    has('cached', (turn) => turn.usage.cached), has('fresh', (turn) => turn.usage.input), has('missed', (turn) => turn.prompt_cache.missed),
    has('output', (turn) => turn.usage.output), has('subagent', (turn) => turn.kind === 'subagent'), has('helper', (turn) => turn.kind === 'helper'),
  ].filter(Boolean).map((name) => [name, svg('rect', {class: name, width: 12, height: 12})]);
  if (Object.keys(rows.at(-1)?.sum ?? {}).length) swatches.push(['cost', svg('polyline', {class: 'cost', points: '0,11 12,1'})]);
  for (const [name, , shape] of MARKS) if (used.has(name)) swatches.push([name, svg('path', {class: `mark ${name}`, d: shape, transform: 'translate(6 6)'})]);
  return h('figcaption.legend.small', {}, swatches.map(([name, sign]) =>
    h('span', {}, svg('svg', {width: 12, height: 12, 'aria-hidden': 'true'}, sign), ' ', t(`session.legend.${name}`))));
}
