// The sessions of the last exchanges: which agents ran, what they used, and in which of them something went wrong.

import {get, listen} from './api.js';
import {fill, h} from './dom.js';
import {keyed, seldom} from './keyed.js';
import {findings, short, tags, whose} from './turns.js';
import {compact, duration, learn, money, number, share, t, time} from './words.js';
import words from './sessions.words.js';

learn(words);

const LEAST = 1000;
/** What a session must have to be shown, by the value of the filter. */
const ONLY = {
  '': () => true,
  breaks: (session) => session.breaks > 0,
  errors: (session) => session.errors > 0,
  compactions: (session) => session.compactions > 0,
  now: (session) => session.under_way > 0,
};

export async function show(root, {query, signal}) {
  let given = {sessions: [], more: false, without: 0};
  const search = h('input', {type: 'search', value: query.get('q') ?? '', placeholder: t('sessions.search-for'), oninput: draw});
  const client = h('select', {onchange: draw});
  const model = h('select', {onchange: draw});
  const only = h('select', {onchange: draw}, Object.keys(ONLY).map((name) => h('option', {value: name}, t(`sessions.only.${name}`))));
  only.value = query.get('only') in ONLY ? query.get('only') : '';
  const live = h('span.tag', {}, t('sessions.connecting'));
  const count = h('p.small.muted', {role: 'status'});
  const body = h('tbody', {role: 'rowgroup'});
  const columns = ['session', 'turns', 'time', 'input', 'output', 'cost', 'found'];
  const head = columns.map((name) => h(`th${NUMBERS.has(name) ? '.number' : ''}`, {scope: 'col', role: 'columnheader'}, t(`sessions.column.${name}`)));
  const table = h('table.sessions', {role: 'table', 'aria-label': t('sessions.title')}, h('thead', {role: 'rowgroup'}, h('tr', {role: 'row'}, head)), body);
  const place = h('div', {});
  fill(root,
    h('div.row.view-head', {}, h('h1', {}, t('sessions.title')), live),
    h('form.row.filters', {role: 'search', onsubmit: (event) => event.preventDefault()},
      h('label', {}, t('sessions.search'), search),
      h('label', {}, t('sessions.client'), client),
      h('label', {}, t('sessions.model'), model),
      h('label', {}, t('sessions.show'), only)),
    count,
    place,
  );

  function draw() {
    const wanted = search.value.trim().toLowerCase();
    const fits = (session) => ONLY[only.value](session)
      && (!client.value || [...session.clients, ...session.programs].includes(client.value))
      && (!model.value || session.models.includes(model.value))
      && (!wanted || [session.id, ...session.clients, ...session.programs, ...session.models].some((text) => text.toLowerCase().includes(wanted)));
    const found = given.sessions.filter(fits);
    const isAll = found.length === given.sessions.length;
    count.textContent = [
      given.sessions.length && (isAll ? t('sessions.count', {count: number(found.length)}) : t('sessions.count-of', {count: number(found.length), all: number(given.sessions.length)})),
      given.more && t('sessions.more'),
      given.without && t('sessions.without', {count: number(given.without)}),
    ].filter(Boolean).join(' · ');
    if (found.length) {
      if (table.parentElement !== place) fill(place, table);
      keyed(body, found, (session) => session.id, row);
    } else {
      fill(place, h('p.empty', {}, given.sessions.length ? t('sessions.none-fit') : t('sessions.none')));
    }
    remember({q: search.value.trim(), client: client.value, model: model.value, only: only.value});
  }

  function choices(select, all, names, wanted) {
    const chosen = select.value || wanted;
    const listed = [...new Set(names)].sort();
    if (chosen && !listed.includes(chosen)) listed.push(chosen);
    fill(select, h('option', {value: ''}, all), listed.map((name) => h('option', {value: name}, name)));
    select.value = chosen;
  }

  async function load() {
    given = await get('/api/sessions', {}, signal);
    choices(client, t('sessions.all-clients'), given.sessions.flatMap((one) => [...one.clients, ...one.programs]), query.get('client') ?? '');
    choices(model, t('sessions.all-models'), given.sessions.flatMap((one) => one.models), query.get('model') ?? '');
    query.delete('client');
    query.delete('model');
    draw();
  }

  fill(place, h('p.empty', {}, t('sessions.loading')));
  await load();
  const ask = seldom(load, signal, LEAST);
  listen(ask, (isLive) => {
    live.textContent = isLive ? t('sessions.live') : t('sessions.connecting');
    live.className = isLive ? 'tag good' : 'tag';
    if (isLive) ask();
  }, signal, ['repaired', 'done']);
}

const NUMBERS = new Set(['turns', 'input', 'output', 'cost']);

/** The address says what is filtered, so that it can be sent to somebody; it is no new place to go back to. */
function remember(filters) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
  history.replaceState(null, '', `#/sessions${query.size ? `?${query}` : ''}`);
}

function row(session) {
  const {input = 0, cached, output = 0} = session.tokens;
  const found = findings(session);
  const cell = (name, ...children) => h(`td${NUMBERS.has(name) ? '.number' : ''}`, {role: 'cell', 'data-name': t(`sessions.column.${name}`)}, ...children);
  return h('tr', {role: 'row'},
    h('td.wide', {role: 'cell'},
      h('a.session-link', {href: `#/sessions/${session.id}`}, h('span.mono', {}, short(session.id)), ' ', whose(session.clients, session.programs)),
      session.under_way ? h('span.tag.accent', {}, t('sessions.under-way')) : null,
      h('div.small.muted', {}, session.models.slice(0, 3).join(', '), session.models.length > 3 ? ` +${session.models.length - 3}` : '')),
    cell('turns', number(session.turns)),
    cell('time', h('span.number', {}, time(session.last)), h('div.small.muted', {}, t('sessions.during', {duration: duration(1000 * (session.last - session.first))}))),
    cell('input', compact(input), cached === undefined || !input ? null : h('div.small.muted', {}, t('sessions.cached', {share: share(cached / input)}))),
    cell('output', compact(output)),
    cell('cost', money(session.cost), session.unpriced && Object.keys(session.cost).length ? h('div.small.muted', {}, t('sessions.unpriced', {count: number(session.unpriced)})) : null),
    h('td.wide', {role: 'cell'}, h('div.tags', {}, found.length ? tags(found) : h('span.muted', {}, '–'))));
}
