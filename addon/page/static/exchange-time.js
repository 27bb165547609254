// When what happened: one bar, its parts with their numbers, and in words what took longest.

import {h} from './dom.js';
import {eventName} from './exchange-parts.js';
import {duration, share, t} from './words.js';

const SLOW = 1000;

export function bar(story) {
  const {time} = story;
  const track = h('div.bar', {role: 'img', 'aria-label': said(time)}, time.parts.map((part) => {
    const piece = h(`span.part.of-${part.part}`, {title: `${name(part)}: ${duration(part.end - part.begin)}`});
    // Set by script: the page's policy allows no style in HTML.
    piece.style.left = `${at(part.begin, time.ms)}%`;
    piece.style.width = `${Math.max(0.4, at(part.end - part.begin, time.ms))}%`;
    return piece;
  }));
  return [
    h('p.longest', {}, said(time)),
    track,
    h('ol.parts', {}, time.parts.map((part) => h('li', {},
      h(`span.swatch.of-${part.part}`, {'aria-hidden': 'true'}),
      h('span.name', {}, name(part), part.note ? h('span.muted', {}, ` · ${part.note}`) : null),
      h('span.number', {}, duration(part.end - part.begin))))),
    h('details', {}, h('summary', {}, t('exchange.moments')),
      h('div.scrolls', {}, h('table', {},
        h('thead', {}, h('tr', {}, h('th.number', {scope: 'col'}, t('exchange.moment.ms')), h('th', {scope: 'col'}, t('exchange.moment')), h('th', {scope: 'col'}, t('exchange.moment.note')))),
        h('tbody', {}, time.moments.map((moment) => h('tr', {},
          h('td.number', {}, duration(moment.ms)), h('td', {}, eventName(moment.kind)), h('td', {}, moment.note))))))),
  ];
}

const at = (ms, whole) => whole > 0 ? Math.min(100, (100 * ms) / whole) : 0;

const name = (part) => part.part === 'waited' && part.number > 1 ? t('exchange.part.try', {number: part.number}) : t(`exchange.part.${part.part}`);

function said(time) {
  const values = {ms: duration(time.ms), share: share(time.share), part: time.longest ? t(`exchange.part.${time.longest}`) : ''};
  if (!time.longest) return t('exchange.time.all', values);
  if (time.under_way) return t('exchange.time.so-far', values);
  return time.ms >= SLOW ? t('exchange.time.slow', values) : t('exchange.time.fast', values);
}
