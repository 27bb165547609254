// What goes on: first what needs attention, then the last minutes, then who waits for what.

import {get, isLost, repeat} from './api.js';
import {chart} from './charts.js';
import {address, announce, cut, fill, h, scrolling} from './dom.js';
import {compact, duration, language, learn, money, number, share, t, time} from './words.js';
import words from './overview.words.js';

learn(words);

const EVERY = 3; // seconds
const SPANS = [30, 60, 180]; // minutes
const ERRORS = ['refused', 'endpoint', 'failed'];
const sum = (values) => values.reduce((all, value) => all + value, 0);

export async function show(root, {query, signal}) {
  let span = SPANS.includes(Number(query.get('minutes'))) ? Number(query.get('minutes')) : 60;
  const parts = Object.fromEntries(['matters', 'tiles', 'waiting', 'workers'].map((name) => [name, h('div')]));
  const lost = h('p.tag.bad', {hidden: true}, t('overview.lost'));
  const spans = h('select', {'aria-label': t('overview.span'), onchange: () => {
    span = Number(spans.value);
    history.replaceState(null, '', address('', {minutes: span}));
    draw();
  }}, SPANS.map((minutes) => h('option', {value: minutes}, t('overview.minutes', {minutes}))));
  spans.value = span;
  const drawn = charts(signal);
  const chartsPart = h('section.minutes', {}, h('h2', {}, t('overview.charts')), h('div.charts', {}, drawn.map((one) => one.element)));
  let seen = null;

  function draw() {
    const {overview, status} = seen;
    const minutes = lastOf(overview.minutes, span);
    refill(parts.matters, matters(overview, status));
    refill(parts.tiles, tiles(overview, minutes, span));
    const isEmpty = overview.last === null;
    chartsPart.hidden = isEmpty;
    if (!isEmpty) for (const one of drawn) one.draw(minutes);
    refill(parts.waiting, isEmpty ? [] : waiting(overview, status));
    refill(parts.workers, [workers(status), budgets(status)]);
  }

  async function ask() {
    try {
      const [overview, status] = await Promise.all([get('/api/overview', {}, signal), get('/status', {}, signal)]);
      seen = {overview, status};
    } catch (error) {
      if (signal.aborted) return;
      if (!seen || !isLost(error)) return void (seen ? fill(root, h('p.empty', {role: 'alert'}, error.message)) : failed(error));
      if (lost.hidden) announce(t('overview.lost'));
      lost.hidden = false;
      return;
    }
    if (!lost.hidden) announce(t('overview.found'));
    lost.hidden = true;
    draw();
  }

  let failed;
  const first = new Promise((_, reject) => { failed = reject; });
  await Promise.race([repeat(ask, EVERY, signal), first]);
  if (signal.aborted) return;
  fill(root, h('div.row.heading', {}, h('h1', {}, t('overview.title')), h('div.row', {}, lost, spans)), parts.matters, parts.tiles, chartsPart, parts.waiting, parts.workers);
}

/** As `fill`, unless it would show the same: what one has selected or focused there stays. */
function refill(element, ...children) {
  const other = h('div');
  fill(other, ...children);
  if (other.isEqualNode(element)) return;
  if (element.contains(document.activeElement) || (!document.getSelection().isCollapsed && element.contains(document.getSelection().anchorNode))) return;
  element.replaceChildren(...other.childNodes);
}

const lastOf = (minutes, span) => Object.fromEntries(Object.entries(minutes).map(([name, values]) => [name, name === 'cost' ? Object.fromEntries(Object.entries(values).map(([currency, parts]) => [currency, parts.slice(-span)])) : values.slice(-span)]));

// 1. What needs attention

function matters(overview, status) {
  const found = [];
  const matter = (look, word, title, ...more) => found.push(h('li', {}, h(`span.tag.${look}`, {}, word), h('strong', {}, title), more));
  if (status.draining) matter('warn', t('overview.ends'), t('overview.draining'));
  for (const alert of status.alerts ?? []) {
    if (alert.state === 'firing') matter('bad', t('overview.alert'), alert.summary, h('p', {}, alert.action));
  }
  for (const host of status.breaker?.open ?? []) matter('bad', t('overview.paused'), cut(host, 80), h('p', {}, t('overview.breaker')));
  for (const check of status.checks ?? []) {
    if (check.state !== 'healthy') matter(check.state === 'unhealthy' ? 'bad' : 'warn', t(`overview.check.${check.state}`), cut(check.name, 60), h('p', {}, cut(check.message, 400)));
  }
  for (const budget of status.budgets ?? []) {
    if (budget.spent + budget.held >= budget.limit) matter('warn', t('overview.budget'), cut(budget.budget, 80), h('p', {}, t('overview.spent', {until: time(budget.resets)})));
  }
  const failed = sum(ERRORS.flatMap((name) => overview.minutes[name].slice(-5)));
  if (failed) matter('warn', t('overview.errors'), t('overview.failed', {count: number(failed)}), h('p', {}, h('a', {href: address('exchanges', {status: 'failed'})}, t('overview.failed.show'))));
  const parts = [];
  if (found.length) parts.push(h('section.card', {}, h('h2', {}, t('overview.matters')), h('ul.matters', {}, found)));
  if (overview.last === null) parts.push(beginning(overview));
  else if (!found.length) parts.push(h('p', {}, h('span.tag.good', {}, t('overview.good'))));
  return parts;
}

/** Nothing has come yet: how to point a client here. */
function beginning({commands, listens}) {
  const line = (text) => {
    const copy = h('button', {onclick: async () => {
      await navigator.clipboard.writeText(text);
      copy.textContent = t('overview.copied');
      announce(t('overview.copied'));
    }}, t('overview.copy'));
    return h('div.copyable', {}, h('pre', {}, text), copy);
  };
  const [proxy, base] = ['regular', 'reverse'].map((mode) => listens.find((one) => one.mode === mode));
  return h('section.card', {}, h('h2', {}, t('overview.begin')), h('p', {}, t('overview.begin.text')),
    h('ol.steps', {},
      h('li', {}, t('overview.begin.run'), line(`${commands.run} -- claude`)),
      h('li', {}, t('overview.begin.env'), line(`eval "$(${commands.env})"`)),
      base ? h('li', {}, t('overview.begin.base'), line(`OPENAI_BASE_URL=http://${base.address}/v1`), line(`ANTHROPIC_BASE_URL=http://${base.address}`)) : null,
      proxy ? h('li', {}, t('overview.begin.proxy'), line(`HTTPS_PROXY=http://${proxy.address}`)) : null,
    ), h('p.small.muted', {}, t('overview.begin.doctor', {command: commands.doctor})));
}

// 2. The last minutes in numbers

function tiles(overview, minutes, span) {
  if (overview.last === null) return [];
  const all = sum(minutes.exchanges);
  const errors = sum(ERRORS.map((name) => sum(minutes[name])));
  const [input, cached, output] = ['input', 'cached', 'output'].map((name) => sum(minutes[name]));
  const cost = Object.fromEntries(Object.entries(minutes.cost).map(([currency, parts]) => [currency, sum(parts)]).filter(([, parts]) => parts));
  const {counts} = overview;
  const tile = (name, value, more = '') => h('div.tile', {}, h('dt', {}, t(`overview.tile.${name}`)), h('dd', {}, value), more ? h('dd.small', {}, more) : null);
  return h('dl.tiles', {'aria-label': t('overview.minutes', {minutes: span})},
    tile('now', number(sum(Object.values(counts))), counts.slot ? t('overview.tile.now.slot', {count: number(counts.slot)}) : ''),
    tile('rate', number(minutes.exchanges.at(-2) ?? 0), t('overview.tile.rate.all', {count: compact(all)})),
    tile('errors', all ? share(errors / all) : '–', t('overview.tile.errors.all', {count: number(errors)})),
    tile('changed', all ? share(sum(minutes.changed) / all) : '–'),
    tile('own', duration(middle(minutes.own_median, minutes.exchanges)), t('overview.tile.p95', {ms: duration(highest(minutes.own_p95))})),
    tile('first', duration(middle(minutes.first_median, minutes.exchanges)), t('overview.tile.p95', {ms: duration(highest(minutes.first_p95))})),
    tile('tokens', compact(input + output), t('overview.tile.tokens.all', {input: compact(input), output: compact(output)})),
    tile('cached', input ? share(cached / input) : '–'),
    tile('cost', money(cost)));
}

/** The middle of the minutes' medians, each as often as it has exchanges. */
function middle(medians, weights) {
  const known = medians.map((value, at) => [value, weights[at] || 1]).filter(([value]) => value !== null).sort(([one], [other]) => one - other);
  let left = sum(known.map(([, weight]) => weight)) / 2;
  for (const [value, weight] of known) if ((left -= weight) <= 0) return value;
  return null;
}

const highest = (values) => values.reduce((most, value) => (value === null || value < most ? most : value), null);

// 3. Charts

function charts(signal) {
  const bar = (name, colour) => ({name: t(`overview.line.${name}`), colour, kind: 'bar'});
  const line = (name, colour, dashed = false) => ({name: t(`overview.line.${name}`), colour, kind: 'line', dashed});
  const whole = (value) => (Number.isInteger(value) ? number(value) : '');
  const drawn = (name, series, say, values, text) => {
    const {element, update} = chart(t(`overview.chart.${name}`), series, say, signal);
    return {element, draw: (minutes) => {
      const lists = values(minutes);
      element.hidden = lists === null;
      if (lists) update(minutes.at, lists, text(minutes));
    }};
  };
  const times = (name) => [(minutes) => [minutes[`${name}_median`], minutes[`${name}_p95`]], (minutes) => t('overview.text.times', {median: duration(middle(minutes[`${name}_median`], minutes.exchanges)), p95: duration(highest(minutes[`${name}_p95`]))})];
  const timeLines = () => [line('median', 'chart-1'), line('p95', 'chart-2', true)];
  const good = (minutes) => minutes.exchanges.map((all, at) => all - sum(ERRORS.map((name) => minutes[name][at])));
  return [
    drawn('exchanges', [bar('good', 'chart-1'), bar('refused', 'chart-3'), bar('endpoint', 'chart-4'), bar('failed', 'chart-5')], whole,
      (minutes) => [good(minutes), ...ERRORS.map((name) => minutes[name])],
      (minutes) => t('overview.text.exchanges', {count: number(sum(minutes.exchanges)), errors: number(sum(ERRORS.map((name) => sum(minutes[name]))))})),
    drawn('tokens', [bar('input', 'chart-1'), bar('cached', 'chart-2'), bar('output', 'chart-3')], compact,
      (minutes) => [minutes.input.map((all, at) => Math.max(0, all - minutes.cached[at])), minutes.cached, minutes.output],
      (minutes) => t('overview.text.tokens', {input: compact(sum(minutes.input)), share: sum(minutes.input) ? share(sum(minutes.cached) / sum(minutes.input)) : '–', output: compact(sum(minutes.output))})),
    drawn('own', timeLines(), duration, ...times('own')),
    drawn('first', timeLines(), duration, ...times('first')),
    ...['CNY', 'USD'].map((currency) => drawn(currency, [bar(currency, 'chart-1')], (parts) => money({[currency]: parts}),
      (minutes) => (sum(minutes.cost[currency] ?? []) ? [minutes.cost[currency]] : null), (minutes) => t('overview.text.cost', {cost: money({[currency]: sum(minutes.cost[currency])})}))),
  ];
}

// 4. Who waits for what

function waiting({under_way: underWay, counts, now}, {slots}) {
  const all = sum(Object.values(counts));
  const head = ['since', 'waits', 'for', 'from', 'model'];
  const table = scrolling(t('overview.waiting'), h('table', {}, h('thead', {}, h('tr', {}, head.map((name) => h('th', {scope: 'col'}, t(`overview.waiting.${name}`))))),
    h('tbody', {}, underWay.map((one) => h('tr', {},
      h('td', {}, h('a.number', {href: address(`exchanges/${encodeURIComponent(one.id)}`)}, time(one.since))),
      h('td', {}, h('span.tag', {}, t(`overview.waits.${one.waits_for}`))),
      h('td', {}, duration(Math.max(0, Math.round(now - one.waits_since)) * 1000)),
      h('td', {}, cut(one.program || one.client || '–', 40)),
      h('td', {}, cut(one.model || '–', 44)))))));
  const accounts = (slots?.accounts ?? []).filter((one) => one.taken || one.waiting);
  return h('section.card', {}, h('h2', {}, t('overview.waiting')),
    h('p', {}, all ? t('overview.waiting.text', Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, number(count)]))) : t('overview.waiting.none')),
    accounts.length ? h('ul', {}, accounts.map((one, at) => h('li', {}, t('overview.slots', {account: number(at + 1), taken: number(one.taken), limit: one.limit === null ? '∞' : number(one.limit), waiting: number(one.waiting)})))) : null,
    all ? table : null, all > underWay.length ? h('p.small.muted', {}, t('overview.waiting.more', {count: number(all - underWay.length)})) : null);
}

// 5. Workers and budgets

function workers({workers: all}) {
  if (!all?.length) return null;
  const head = ['number', 'pid', 'since', 'exchanges', 'state'];
  return h('section.card', {}, h('h2', {}, t('overview.workers')), scrolling(t('overview.workers'), h('table', {}, h('thead', {}, h('tr', {}, head.map((name) => h('th', {scope: 'col'}, t(`overview.workers.${name}`))))),
    h('tbody', {}, all.map((one) => h('tr', {}, h('td', {}, number(one.number)), h('td', {}, String(one.pid)), h('td', {}, one.since === null ? '–' : time(one.since)), h('td', {}, number(one.exchanges)),
      h('td', {}, one.leaving ? h('span.tag.warn', {}, t('overview.worker.leaving')) : one.ready ? h('span.tag.good', {}, t('overview.worker.ready')) : h('span.tag.bad', {}, t('overview.worker.starting')))))))));
}

function budgets({budgets: all}) {
  if (!all?.length) return null;
  return h('section.card', {}, h('h2', {}, t('overview.budgets')), h('ul.matters', {}, all.map((one) => {
    const said = t('overview.budgets.line', {spent: amount(one.spent, one.unit), limit: amount(one.limit, one.unit), unit: one.unit, until: time(one.resets)});
    return h('li', {}, h('strong', {}, cut(one.budget, 60)), h('span', {}, said), h('p', {}, h('progress', {max: one.limit, value: Math.min(one.spent, one.limit), 'aria-label': said})));
  })));
}

const amount = (value, unit) => (unit === 'tokens' ? number(value) : new Intl.NumberFormat(language === 'zh' ? 'zh-CN' : 'en', {maximumFractionDigits: 2}).format(value));
