// One session: its turns in order, what they used, and where the prompt cache broke.

import {get, listen} from './api.js';
import {fill, h} from './dom.js';
import {keyed, seldom} from './keyed.js';
import {breakOf} from './session_break.js';
import {chart} from './session_chart.js';
import {turnRow} from './session_turn.js';
import {findings, listed, short, tags, whose} from './turns.js';
import {compact, date, duration, learn, money, number, share, t} from './words.js';
import words from './session.words.js';

learn(words);

const LEAST = 700;
const WORST = 6;
/** Which turns are listed, by the value of the filter. */
const ONLY = {
  '': () => true,
  main: ({turn}) => turn.kind !== 'helper' && turn.kind !== 'subagent',
  subagent: ({turn}) => turn.kind === 'subagent',
  helper: ({turn}) => turn.kind === 'helper',
  marked: (row) => isMarked(row.turn),
};

export async function show(root, {path, query, signal}) {
  const [, id] = path;
  const address = `/api/sessions/${encodeURIComponent(id)}`;
  let rows = [];
  let leftOut = 0;
  let showsAll = false;
  const live = h('span.tag', {}, t('session.connecting'));
  const about = h('p.muted.session-about');
  const found = h('div.tags.findings');
  const facts = h('dl.facts');
  const broken = h('section.card', {hidden: true, 'aria-labelledby': 'broken'}, h('h2', {id: 'broken'}, t('session.broken')));
  const breaks = h('div.breaks');
  const rest = h('button', {hidden: true, onclick: () => {
    showsAll = true;
    explainAll();
  }});
  broken.append(breaks, rest);
  const picture = h('div');
  const only = h('select', {onchange: list}, Object.keys(ONLY).map((name) => h('option', {value: name}, t(`session.only.${name}`))));
  only.value = query.get('only') in ONLY ? query.get('only') : '';
  const count = h('span.small.muted', {role: 'status'});
  const turns = h('ol.turns', {'aria-labelledby': 'turns'});
  fill(root,
    h('nav.small', {'aria-label': t('session.up')}, h('a', {href: '#/sessions'}, `← ${t('session.all')}`)),
    h('div.row.view-head', {},
      h('h1', {}, t('session.title'), ' ', h('span.mono', {title: id}, short(id))), live,
      h('div.row.exports', {},
        h('a.small', {href: `#/exchanges?session=${encodeURIComponent(id)}`}, t('session.as-exchanges')),
        h('a.small', {href: `${address}/export/jsonl`, download: ''}, t('session.jsonl')),
        h('a.small', {href: `${address}/export/har`, download: ''}, t('session.har')))),
    about, found, facts, broken,
    h('section.card', {'aria-labelledby': 'chart'}, h('h2', {id: 'chart'}, t('session.chart')), picture),
    h('section.card', {'aria-labelledby': 'turns'},
      h('div.row.view-head', {}, h('h2', {id: 'turns'}, t('session.turns')), h('label.inline', {}, t('session.show'), only), count,
        h('button.plain', {onclick: () => goTo(rows.at(-1)?.turn.id)}, t('session.to-the-last'))),
      turns),
  );

  function list() {
    const shown = rows.filter(ONLY[only.value]);
    count.textContent = shown.length === rows.length ? '' : t('session.shown', {count: number(shown.length), all: number(rows.length)});
    keyed(turns, shown, (row) => row.turn.id, (row) => turnRow(row, explain));
  }

  /** List why the cache broke: the worst times, or each. The worst is explained at once. */
  function explainAll() {
    const all = rows.filter(({turn}) => turn.prompt_cache.by);
    const worst = all.toSorted((one, other) => other.turn.prompt_cache.missed - one.turn.prompt_cache.missed).slice(0, showsAll ? all.length : WORST);
    const isFirst = !breaks.childElementCount;
    broken.hidden = !all.length;
    rest.hidden = worst.length === all.length;
    rest.textContent = t('session.all-breaks', {count: number(all.length)});
    const shown = all.filter((row) => worst.includes(row)).map(({turn, number: place, before, since}) => ({turn, number: place, before, since}));
    keyed(breaks, shown, (row) => row.turn.id, (row) => breakOf(row, signal, isFirst && row.turn.id === worst[0].turn.id));
  }

  /** Show why the cache broke in a turn. */
  function explain(turnId) {
    if (!document.getElementById(`break-${turnId}`)) {
      showsAll = true;
      explainAll();
    }
    const entry = document.getElementById(`break-${turnId}`);
    entry?.querySelector('details')?.setAttribute('open', '');
    entry?.scrollIntoView({block: 'center'});
    entry?.querySelector('summary')?.focus({preventScroll: true});
  }

  /** Show a turn in the list. */
  function goTo(turnId) {
    if (!document.getElementById(`turn-${turnId}`)) {
      only.value = '';
      list();
    }
    const row = document.getElementById(`turn-${turnId}`);
    row?.scrollIntoView({block: 'center'});
    row?.querySelector('a')?.focus({preventScroll: true});
  }

  async function load() {
    const {session, turns: given, left_out} = await get(address, {}, signal);
    leftOut = left_out;
    rows = numbered(given, leftOut);
    about.textContent = [
      whose(session.clients, session.programs), listed(session.models),
      session.named ? t('session.named') : t('session.by-beginning'), date(session.first),
    ].filter(Boolean).join(' · ');
    fill(found, tags(findings(session)));
    fill(facts, factsOf(session));
    explainAll();
    draw();
    list();
  }

  function draw() {
    const scrolled = picture.querySelector('.scrolls')?.scrollLeft ?? 0;
    fill(picture, chart(rows, picture.clientWidth, goTo), leftOut ? h('p.small.muted', {}, t('session.left-out', {count: number(leftOut)})) : '');
    picture.querySelector('.scrolls').scrollLeft = scrolled;
  }

  fill(facts, h('p.empty', {}, t('session.loading')));
  await load();
  window.addEventListener('resize', draw, {signal});
  const ask = seldom(load, signal, LEAST);
  const late = seldom(load, signal, 4 * LEAST); // a call may be billed once its exchange is over
  listen((event) => {
    if (event.data.session !== id) return;
    ask();
    if (event.kind === 'done') late();
  }, (isLive) => {
    live.textContent = isLive ? t('session.live') : t('session.connecting');
    live.className = isLive ? 'tag good' : 'tag';
    if (isLive) ask();
  }, signal, ['repaired', 'done']);
}

/** The turns with what only their place among the others tells: number, sum of the cost, the turn before. */
function numbered(turns, leftOut) {
  const numbers = new Map(turns.map((turn, place) => [turn.id, leftOut + place + 1]));
  const at = new Map(turns.map((turn) => [turn.id, turn.at]));
  const most = ceiling(Math.max(1, ...turns.map((turn) => (turn.usage.input ?? 0) + (turn.usage.output ?? 0))));
  const sum = {};
  return turns.map((turn) => {
    for (const [currency, amount] of Object.entries(turn.cost)) sum[currency] = (sum[currency] ?? 0) + amount;
    const {before} = turn.prompt_cache;
    return {turn, number: numbers.get(turn.id), sum: {...sum}, most, before: numbers.get(before) ?? 0, since: before && at.has(before) ? turn.at - at.get(before) : null};
  });
}

/** A round number that is not smaller: the scale stays while a session grows, and the rows that are there with it. */
function ceiling(value) {
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 5, 7.5, 10].find((step) => step * size >= value) * size;
}

/** Whether something befell a turn that somebody may look for. */
function isMarked(turn) {
  return turn.is_error || turn.left || turn.prompt_cache.by || turn.prompt_cache.compacted || turn.retried.length || turn.mended
    || turn.fallbacks.length || turn.runaway || turn.budget || Object.keys(turn.reasoning).length;
}

function factsOf(session) {
  const {input = 0, cached, output = 0, reasoning} = session.tokens;
  const fact = (name, value, beside = '') => h('div', {}, h('dt', {}, t(`session.fact.${name}`)), h('dd.number', {}, value, beside ? h('div.small.muted', {}, beside) : ''));
  const kinds = ['subagent', 'helper'].filter((kind) => session.calls[kind]).map((kind) => t(`session.calls.${kind}`, {count: number(session.calls[kind])}));
  return [
    fact('turns', number(session.turns), [session.under_way ? t('session.under-way', {count: number(session.under_way)}) : '', ...kinds].filter(Boolean).join(', ')),
    fact('time', duration(1000 * (session.last - session.first))),
    fact('input', compact(input), cached === undefined || !input ? '' : t('session.cached', {share: share(cached / input)})),
    fact('output', compact(output), reasoning ? t('session.thought', {count: compact(reasoning)}) : ''),
    fact('cost', money(session.cost), session.unpriced && Object.keys(session.cost).length ? t('session.unpriced', {count: number(session.unpriced)}) : ''),
    fact('missed', compact(session.missed), session.breaks ? t('session.breaks', {count: number(session.breaks)}) : ''),
  ];
}
