// The answer put together; while it is under way it grows.

import {get} from './api.js';
import {fill, h} from './dom.js';
import {number, t} from './words.js';
import {spans, tag, whole} from './exchange-parts.js';

const EVERY = 500;

export function answer(place) {
  const element = h('div.answer');
  const draw = (given) => fill(element, given ? drawn(place, given) : nothing(place.story));
  draw(place.story.answer);
  return {element, draw};
}

function nothing({missing, head: {facts}}) {
  if (!facts.over) return h('p.muted', {}, h('span.pulse', {'aria-hidden': 'true'}), t('exchange.answer.awaited'));
  return h('p.muted', {}, missing ? t(`exchange.missing.${missing}`) : t('exchange.answer.none'));
}

function drawn(place, given) {
  const usage = Object.entries(given.usage);
  return [
    given.under_way ? h('p.small.muted', {}, h('span.pulse', {'aria-hidden': 'true'}), t('exchange.answer.growing', {bytes: number(given.bytes)})) : null,
    given.problems.map((problem) => h('p.problem', {}, tag(t('exchange.problem'), 'bad'), ' ', problem)),
    given.choices.map((choice, index) => one(place, choice, index, given.choices.length > 1)),
    given.raw.length ? [h('p.muted.small', {}, t('exchange.not-json')), h('pre', {}, spans(given.raw, 'sent', whole(place, 'answer', '')))] : null,
    !given.choices.length && !given.problems.length && !given.raw.length ? h('p.muted', {}, given.under_way ? t('exchange.answer.awaited') : t('exchange.answer.empty')) : null,
    usage.length ? h('details.usage', {}, h('summary', {}, t('exchange.usage')),
      h('dl.facts', {}, usage.map(([name, count]) => h('div', {}, h('dt', {}, h('code', {}, name)), h('dd.number', {}, number(count)))))) : null,
  ];
}

function one(place, choice, index, isOneOfMany) {
  return h('div.message.of-assistant', {},
    isOneOfMany ? h('h3', {}, t('exchange.choice', {number: number(index + 1)})) : null,
    choice.reasoning.length ? h('div.piece.reasoning', {}, h('span.label', {}, t('exchange.reasoning')), spans(choice.reasoning, 'sent', whole(place, 'answer', `/${index}/reasoning`))) : null,
    choice.text.length ? h('div.piece.text', {}, spans(choice.text, 'sent', whole(place, 'answer', `/${index}/text`))) : null,
    choice.calls.map((call) => h('div.piece.call', {},
      h('span.label', {}, t('exchange.calls-tool'), ' ', h('code', {}, call.name), call.id ? h('code.muted.small', {}, ` ${call.id}`) : null),
      h('pre', {}, spans(call.spans, 'sent', whole(place, 'answer', `/${index}${call.at}`))))),
    choice.finish_reason ? h('p.small.muted', {}, t('exchange.finish'), ' ', h('code', {}, choice.finish_reason)) : null);
}

/** Ask for the answer until it is over; then `done()`. */
export async function grow(place, shown, done) {
  const {id, signal} = place;
  const at = `/api/exchanges/${encodeURIComponent(id)}`;
  let known = -1;
  while (!signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, EVERY));
    if (signal.aborted) return;
    try {
      if (document.visibilityState === 'hidden') continue;
      const {exchange} = await get(at, {}, signal);
      if (exchange.over) return done();
      if (place.story.missing) continue;
      const {bytes, answer: given} = await get(`${at}/answer`, known < 0 ? {} : {known}, signal);
      if (given) shown.draw(given);
      known = bytes;
    } catch (error) {
      if (signal.aborted || (error.status && error.code !== 'admin_no_such_exchange')) return;
    }
  }
}
