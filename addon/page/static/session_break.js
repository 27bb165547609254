// Why a turn's prompt was not read from the cache: in words, and with the message that did it, before and now.

import {get} from './api.js';
import {fill, h} from './dom.js';
import {whatChanged, whoBroke} from './turns.js';
import {duration, learn, number, t, time} from './words.js';
import words from './session_break.words.js';

learn(words);

/** The explanation for a turn; its texts are fetched once it is opened. */
export function breakOf({turn, number: place, before, since}, signal, isOpen) {
  const cache = turn.prompt_cache;
  const inside = h('div.break-inside');
  let isAsked = false;
  const details = h('details', {ontoggle: () => {
    if (!details.open || isAsked) return;
    isAsked = true;
    fill(inside, h('p.muted', {}, t('break.loading')));
    explanation(turn, before, since, signal).then((shown) => fill(inside, shown), (error) => {
      isAsked = false;
      if (!signal.aborted) fill(inside, meaning(turn, since), h('p.muted', {role: 'alert'}, error.message));
    });
  }}, h('summary', {},
    h('span.number', {}, t('break.turn', {number: number(place)})), ' ', h('span.muted.small.number', {}, time(turn.at)), ' ',
    h('strong', {}, t('break.what', {what: whatChanged(cache.what ?? ''), who: whoBroke(cache.by, cache.rules)})),
    cache.pointer ? [' ', h('code', {}, cache.pointer)] : '', ' ',
    h('span.tag.warn', {}, t('break.missed', {count: number(cache.missed)}))), inside);
  const shown = h('div.break', {id: `break-${turn.id}`}, details);
  if (isOpen) details.open = true;
  return shown;
}

function meaning(turn, since) {
  const {by} = turn.prompt_cache;
  return h('p', {}, t(`break.meaning.${by}`), by === 'endpoint' && since !== null ? ` ${t('break.since', {duration: duration(1000 * since)})}` : '');
}

async function explanation(turn, before, since, signal) {
  const cache = turn.prompt_cache;
  const said = [meaning(turn, since)];
  if (!cache.pointer) return said;
  const found = await get(`/api/exchanges/${encodeURIComponent(turn.id)}/cache`, {}, signal);
  if (found.missing) return [...said, h('p.muted', {}, t(`break.missing.${found.missing}`))];
  const [first, other] = cache.by === 'hunyuan-fix' ? ['sent', 'came'] : ['came', 'sent'];
  const main = found[first] ?? found[other];
  if (!main) return [...said, h('p.muted', {}, t('break.same-now'))];
  const sides = [];
  sides.push(sideBySide(main, turn, before, found.before, found[first] ? first : other));
  if (cache.by === 'hunyuan-fix') {
    sides.push(h('p.small.muted', {}, found.came ? t('break.came-too', {pointer: found.came.pointer, what: whatChanged(found.came.what)}) : t('break.came-same')));
  } else if (found.came && found.sent && found.sent.pointer !== found.came.pointer) {
    sides.push(h('p.small.muted', {}, t('break.left-as', {pointer: found.sent.pointer})));
  }
  return [...said, ...sides];
}

function sideBySide(changed, turn, before, beforeId, how) {
  const head = (name, id, message) => h('h3', {}, h('a', {href: `#/exchanges/${id}`}, name),
    h('span.small.muted', {}, ` ${message?.role ? t('break.role', {role: message.role}) : ''} `), h('code', {}, message ? changed.pointer : ''));
  const pane = (side, name, id, message) => h('div.pane', {}, head(name, id, message),
    message ? h('pre', {tabindex: '0', 'aria-label': name}, changed.words ? pieces(changed.words, side) : plain(message)) : h('p.muted', {}, t('break.nothing')));
  return h('div', {},
    h('p.small.muted', {}, t(`break.how.${how}`), changed.words ? '' : ` ${t('break.beside')}`),
    h('div.panes', {},
      pane('removed', before ? t('break.before', {number: number(before)}) : t('break.before-elsewhere'), beforeId, changed.before),
      pane('added', t('break.now'), turn.id, changed.now)));
}

function pieces(words, side) {
  const more = (count) => h('span.muted', {}, t('break.characters', {count: number(count)}));
  return [
    words.left_out ? more(words.left_out) : '',
    words.pieces.filter((piece) => piece.kind === 'same' || piece.kind === side).map((piece) =>
      (piece.kind === 'same' ? piece.text : h(side === 'removed' ? 'del' : 'ins', {}, piece.text))),
    words.more ? more(words.more) : '',
  ];
}

function plain(message) {
  return [message.text, message.more ? h('span.muted', {}, t('break.characters', {count: number(message.more)})) : ''];
}
