// Both sides of a request: what came beside what was sent, row by row as people read messages.

import {get} from './api.js';
import {fill, h} from './dom.js';
import {number, t} from './words.js';
import {format, spans, tag, whole} from './exchange-parts.js';

const AT_ONCE = 100;

/** The two sides: `element`, and `go(place, change)`, which shows where a change was made. */
export function both(place) {
  const {story} = place;
  const {sides} = story;
  const isAlone = !sides.rewritten;
  const list = h('ol.pairs', {}, sides.rows.map((row) => item(place, row)));
  const tools = above(place, sides.parameters.tools, 'tools');
  const parameters = above(place, sides.parameters.parameters, 'parameters');
  const element = h(isAlone ? 'div.sides.alone' : 'div.sides', {},
    isAlone ? h('p.muted', {}, story.observed ? t('exchange.sides.observed') : t('exchange.sides.unchanged')) : chooser(() => element),
    h('div.heads', {'aria-hidden': 'true'}, isAlone ? null : [
      h('span', {}, t('exchange.came'), ' ', tag(format(sides.came_format))),
      h('span', {}, t('exchange.sent'), ' ', tag(format(sides.sent_format)))]),
    parameters, tools,
    sides.parameters.more ? h('p.muted.small', {}, t('exchange.more-parameters', {count: number(sides.parameters.more)})) : null,
    unread(place, sides),
    sides.count ? list : null);
  return {element, go: (at, change) => go(place, element, list, at, change)};
}

/** On a narrow screen: one side, or both under each other. */
function chooser(element) {
  const buttons = ['both', 'came', 'sent'].map((side) => h('button', {type: 'button', 'aria-pressed': String(side === 'both'), onclick: (event) => {
    element().dataset.side = side;
    for (const other of buttons) other.setAttribute('aria-pressed', String(other === event.currentTarget));
  }}, t(`exchange.side.${side}`)));
  return h('div.chooser', {role: 'group', 'aria-label': t('exchange.side')}, buttons);
}

function unread(place, sides) {
  const raw = [['came', sides.came_raw], ['sent', sides.sent_raw]].filter(([, given]) => given.length);
  return raw.map(([side, given]) => h('div.raw', {}, h('p.muted.small', {}, t(`exchange.unread.${side}`)), h('pre', {}, spans(given, side, whole(place, side, '')))));
}

// Rows

function item(place, row) {
  if (row.fold !== undefined) return fold(place, row);
  const {state, came, sent, moved, changes} = row;
  const isChanged = state !== 'same' || moved;
  const labels = [
    isChanged && state !== 'same' ? tag(t(`exchange.state.${state}`), {added: 'good', removed: 'bad'}[state] ?? 'accent') : null,
    moved ? tag(t('exchange.state.moved', {from: number(came[0].number)}), 'accent') : null,
    changes.map((change) => rule(place, change)),
  ];
  return h(`li.pair.is-${state}`, {id: `row-${row.row}`, tabindex: '-1'},
    isChanged || changes.length ? h('div.labels', {}, labels) : null,
    h('div.cell.came', {}, h('span.which', {}, t('exchange.came')), listedWithGap(place, row), came.length ? null : h('p.muted.small', {}, t('exchange.not-in'))),
    place.story.sides.rewritten ? h('div.cell.sent', {}, h('span.which', {}, t('exchange.sent')), sent.map((one) => message(place, one, 'sent')), sent.length ? null : h('p.muted.small', {}, t('exchange.no-longer'))) : null);
}

function listedWithGap(place, {came, left_out: leftOut}) {
  const shown = came.map((one) => message(place, one, 'came'));
  if (leftOut) shown.splice(-1, 0, h('p.muted.small', {}, t('exchange.left-out-messages', {count: number(leftOut)})));
  return shown;
}

function rule({story}, change) {
  const given = story.changes[change];
  return h('button.rule', {type: 'button', title: given.why || given.repairs, onclick: () => {
    const target = document.getElementById(`change-${change}`);
    target.scrollIntoView({block: 'center'});
    flash(target);
  }}, given.rule);
}

function fold(place, {fold: first, count, changed}) {
  const said = changed ? t('exchange.fold.changed', {count: number(count), changed: number(changed)}) : count === 1 ? t('exchange.fold.one') : t('exchange.fold', {count: number(count)});
  const button = h('button.gap', {type: 'button', onclick: () => open(place, element, first, first + count)}, said);
  const element = h('li.fold', {}, button);
  Object.assign(element.dataset, {first, end: first + count});
  return element;
}

/** Show the rows of a fold; of many the first hundred, or those from `wanted` on. */
async function open(place, element, first, end, wanted = first) {
  const begin = Math.min(Math.max(first, wanted - 5), end);
  const button = element.querySelector('button');
  button.disabled = true;
  try {
    const {rows} = await get(`/api/exchanges/${encodeURIComponent(place.id)}/rows`, {first: begin, count: Math.min(AT_ONCE, end - begin)}, place.signal);
    const last = begin + rows.length;
    const parts = [];
    if (begin > first) parts.push(fold(place, {fold: first, count: begin - first, changed: 0}));
    parts.push(...rows.map((row) => item(place, row)));
    if (last < end && rows.length) parts.push(fold(place, {fold: last, count: end - last, changed: 0}));
    element.replaceWith(...parts);
    if (wanted === first) parts[0]?.focus({preventScroll: true});
  } catch (error) {
    if (place.signal.aborted) return;
    button.disabled = false;
    button.textContent = t('exchange.rest-failed');
  }
}

async function go(place, element, list, at, change) {
  let target = null;
  if (at.row >= 0) {
    element.dataset.side = 'both';
    if (!document.getElementById(`row-${at.row}`)) {
      const folded = [...list.querySelectorAll('li.fold')].find((one) => Number(one.dataset.first) <= at.row && at.row < Number(one.dataset.end));
      if (folded) await open(place, folded, Number(folded.dataset.first), Number(folded.dataset.end), at.row);
    }
    target = document.getElementById(`row-${at.row}`);
  } else if (change.part === 'answer') {
    target = document.getElementById('exchange-answer');
  } else {
    const group = element.querySelector(`details.above.${change.part || 'parameters'}`);
    if (group) group.open = true;
    target = group?.querySelector(`[data-changes~="${change.number}"]`) ?? group ?? element;
  }
  if (!target) return;
  target.scrollIntoView({block: 'center'});
  flash(target);
}

function flash(target) {
  if (!target.hasAttribute('tabindex')) target.tabIndex = -1;
  target.focus({preventScroll: true});
  target.classList.remove('found');
  requestAnimationFrame(() => target.classList.add('found'));
}

// Messages

function message(place, given, side) {
  return h(`article.message.of-${role(given.role)}`, {},
    h('header', {},
      h('span.role', {}, said(given.role)),
      h('span.muted.small.number', {}, `#${given.number}`),
      given.name ? h('code.small', {}, given.name) : null,
      given.id ? h('code.muted.small', {}, given.id) : null),
    given.pieces.map((one) => piece(place, one, side, given.role)),
    given.more ? h('p.muted.small', {}, t('exchange.more-pieces', {count: number(given.more)})) : null,
    given.pieces.length ? null : h('p.muted.small', {}, t('exchange.no-content')));
}

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'];
const role = (name) => ROLES.includes(name) ? name : 'other';
const said = (name) => ROLES.includes(name) ? t(`exchange.role.${name}`) : name;

function piece(place, given, side, of) {
  const text = () => spans(given.spans, side, whole(place, side, given.at));
  switch (given.kind) {
    case 'reasoning':
      return h('div.piece.reasoning', {}, h('span.label', {}, t('exchange.reasoning')), text());
    case 'call':
      return h('div.piece.call', {},
        h('span.label', {}, t('exchange.calls-tool'), ' ', h('code', {}, given.name), given.id ? h('code.muted.small', {}, ` ${given.id}`) : null),
        h('pre', {}, text()));
    case 'image':
      return picture(place, given, side);
    case 'other':
      return h('div.piece.other', {}, h('pre', {}, text()));
    default:
      return h(of === 'tool' ? 'div.piece.text.result' : 'div.piece.text', {}, text());
  }
}

function picture(place, given, side) {
  const facts = given.spans.map((span) => span.text ?? '').join('');
  const source = `/api/exchanges/${encodeURIComponent(place.id)}/image?${new URLSearchParams({of: side, at: given.at})}`;
  return h('figure.piece.image', {},
    given.shown ? h('a', {href: source, target: '_blank', rel: 'noopener'}, h('img', {src: source, alt: given.description || facts, loading: 'lazy'})) : null,
    h('figcaption', {},
      h('span.small.muted', {}, facts),
      given.description ? h('details', {open: true}, h('summary', {}, t('exchange.described-as')), h('div.spans', {dir: 'auto'}, given.description)) : null));
}

// Parameters and tools

function above(place, listed, kind) {
  if (!listed.length) return null;
  const changed = listed.filter((one) => one.state !== 'same' || one.changes.length);
  const title = kind === 'tools' ? t('exchange.tools', {count: number(listed.length)}) : t('exchange.parameters', {count: number(listed.length)});
  return h(`details.above.${kind}`, {open: changed.length > 0 && changed.length <= 12 && kind === 'parameters'},
    h('summary', {}, title, changed.length ? [' ', tag(t('exchange.changed-count', {count: number(changed.length)}), 'accent')] : null),
    h('ul', {}, [...changed, ...listed.filter((one) => !changed.includes(one))].map((one) => parameter(place, one))));
}

function parameter(place, given) {
  const state = given.state === 'same' ? null : tag(t(`exchange.state.${given.state}`), {added: 'good', removed: 'bad'}[given.state] ?? 'accent');
  const same = given.state === 'same' && given.came ? spans(given.came, 'sent', whole(place, 'came', given.at_came)) : null;
  return h(`li.parameter.is-${given.state}`, {'data-changes': given.changes.join(' ')},
    h('div.row', {}, h('code', {}, given.name), state, given.changes.map((change) => rule(place, change))),
    same ? h('pre', {}, same) : null,
    given.state !== 'same' ? h('div.two', {},
      h('div.cell.came', {}, h('span.which', {}, t('exchange.came')), side(place, given.came, 'came', given.at_came)),
      place.story.sides.rewritten ? h('div.cell.sent', {}, h('span.which', {}, t('exchange.sent')), side(place, given.sent, 'sent', given.at_sent)) : null) : null,
    given.state === 'same' && !given.came ? demand(place, given) : null);
}

function side(place, listed, of, at) {
  if (listed) return h('pre', {}, spans(listed, of, whole(place, of, at)));
  return at ? demandButton(place, of, at) : h('p.muted.small', {}, of === 'came' ? t('exchange.not-in') : t('exchange.no-longer'));
}

const demand = (place, given) => demandButton(place, 'came', given.at_came);

function demandButton(place, of, at) {
  const holder = h('div');
  const button = h('button.gap', {type: 'button', onclick: async () => {
    button.disabled = true;
    try {
      const {text} = await whole(place, of, at)();
      fill(holder, h('pre', {}, text));
    } catch {
      button.disabled = false;
    }
  }}, t('exchange.show'));
  holder.append(button);
  return holder;
}
