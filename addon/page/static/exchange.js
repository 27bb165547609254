// One exchange as a story: what it was, when what happened, what was changed and why, both sides, the answer.

import {get} from './api.js';
import {fill, h} from './dom.js';
import {compact, date, duration, language, learn, money, number, share, t} from './words.js';
import {answer, grow} from './exchange-answer.js';
import {format, how, prose, purpose, tag} from './exchange-parts.js';
import {both} from './exchange-sides.js';
import {bar} from './exchange-time.js';
import words from './exchange.words.js';

learn(words);

export async function show(root, {path, signal}) {
  const id = path[1];
  root.append(h('h1', {}, t('exchange.title')), h('p.empty', {role: 'status'}, t('exchange.loading')));
  let story;
  try {
    story = await get(`/api/exchanges/${encodeURIComponent(id)}/story`, {}, signal);
  } catch (error) {
    if (error.code !== 'admin_no_such_exchange') throw error;
    fill(root, h('h1', {}, t('exchange.title')), h('div.card.empty', {},
      h('p', {}, t('exchange.gone')), h('p', {}, h('a', {href: '#/exchanges'}, t('exchange.all')))));
    return;
  }
  render(root, id, story, signal);
}

function render(root, id, story, signal) {
  const place = {id, signal, story};
  const sides = story.sides ? both(place) : null;
  const changes = changed(place, sides);
  const shownAnswer = answer(place);
  const sections = [
    ['time', t('exchange.time'), bar(story)],
    ['changes', t('exchange.changes'), changes],
    ['sides', t('exchange.sides'), sides ? sides.element : missing(story)],
    ['answer', t('exchange.answer'), shownAnswer.element],
    ['calls', t('exchange.calls'), calls(place)],
  ].filter(([, , content]) => content);
  fill(root, top(place), jumps(sections), sections.map(([name, title, content]) =>
    h('section.card', {id: `exchange-${name}`, 'aria-labelledby': `exchange-${name}-title`},
      h('h2', {id: `exchange-${name}-title`, tabindex: '-1'}, title), content)));
  if (!story.head.facts.over) {
    grow(place, shownAnswer, async () => {
      const at = window.scrollY;
      render(root, id, await get(`/api/exchanges/${encodeURIComponent(id)}/story`, {}, signal), signal);
      window.scrollTo(0, at);
      document.getElementById('live').textContent = t('exchange.now-over');
    });
  }
}

/** Links within the page: the address is the view's, so these are buttons. */
function jumps(sections) {
  return h('nav.jumps', {'aria-label': t('exchange.sections')}, sections.map(([name, title]) =>
    h('button.plain', {type: 'button', onclick: () => {
      const heading = document.getElementById(`exchange-${name}-title`);
      heading.closest('section').scrollIntoView({block: 'start'});
      heading.focus({preventScroll: true});
    }}, title)));
}

// 1. The head

function top(place) {
  const {story} = place;
  const {facts, failure, warning} = story.head;
  const used = facts.sent_model || facts.model;
  return h('header.exchange-head', {},
    h('div.row', {},
      h('h1', {}, facts.model && used !== facts.model ? [facts.model, h('span.arrow', {'aria-label': t('exchange.answered-by')}, ' → '), used] : facts.model || `${facts.method ?? ''} ${facts.path ?? ''}`.trim() || t('exchange.title')),
      ended(facts, failure),
      facts.mode === 'observe' ? tag(t('exchange.observed'), 'warn') : null,
      facts.streamed ? tag(t('exchange.streamed')) : null),
    failure ? failed(failure, facts) : null,
    warning ? h('p.note', {}, warning) : null,
    compared(story),
    h('dl.facts', {}, listed(place).map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
    actions(place));
}

function ended(facts, failure) {
  if (!facts.over) return h('span.tag.accent', {}, h('span.pulse', {'aria-hidden': 'true'}), t('exchange.under-way'));
  if (facts.left) return tag(t('exchange.left'), 'warn');
  if (failure || facts.status >= 400) return tag(facts.status ? `HTTP ${facts.status}` : t('exchange.no-answer'), 'bad');
  return tag(facts.status ? `HTTP ${facts.status}` : t('exchange.no-answer'), facts.status ? 'good' : 'warn');
}

function failed(failure, facts) {
  return h('section.failure', {'aria-labelledby': 'failure-title'},
    h('h2', {id: 'failure-title'}, facts.how === 'refused' ? t('exchange.refused') : t('exchange.failed')),
    failure.when ? h('p.why', {}, prose(failure.when)) : null,
    failure.message && failure.message !== failure.when ? h('blockquote', {}, failure.message) : null,
    failure.advice ? h('p', {}, h('strong', {}, `${t('exchange.do')} `), prose(failure.advice)) : null,
    failure.code ? h('p.small.muted', {}, t('exchange.code'), ' ', h('code', {}, failure.code)) : null);
}

/** What would have happened without the addon, beside what has. */
function compared({without, head: {facts, failure}, changes, observed}) {
  if (without.kind === 'unknown' && !changes.length) return null;
  if (without.kind === 'accepted' && failure) return null; // what it failed for has nothing to do with its body
  const {refusal, more} = without;
  const said = {
    accepted: () => [h('p', {}, t('exchange.without.accepted'))],
    unknown: () => [h('p.muted', {}, t('exchange.without.unknown'))],
    no_such_api: () => [h('p', {}, tag('HTTP 404', 'bad'), ' ', t('exchange.without.no_such_api', {format: format(facts.dialect)}))],
    refused: () => [
      h('p', {}, tag(`HTTP ${refusal.status}`, 'bad'), ' ', h('q', {}, refusal.message)),
      h('p.small.muted', {}, refusal.pointer ? [h('code', {}, refusal.pointer), ' '] : null, refusal.reason,
        more ? [' ', more === 1 ? t('exchange.without.one-more') : t('exchange.without.more', {count: number(more)})] : null),
      refusal.proven ? null : h('p.small.muted', {}, t('exchange.without.claimed'))],
  }[without.kind]();
  const status = facts.status ? tag(`HTTP ${facts.status}`, facts.status < 400 ? 'good' : 'bad') : tag(facts.over ? t('exchange.no-answer') : t('exchange.under-way'), facts.over ? 'warn' : 'accent');
  return h('div.compared', {},
    h('div', {}, h('h2', {}, t('exchange.without')), said),
    h('div', {}, h('h2', {}, t('exchange.with')), h('p', {}, status, ' ', observed ? t('exchange.with.observed') : withFix(facts, changes))));
}

function withFix(facts, changes) {
  const count = changes.reduce((sum, one) => sum + one.count, 0);
  if (!count) return t('exchange.with.unchanged');
  return count === 1 ? t('exchange.with.one') : t('exchange.with.changes', {count: number(count)});
}

function listed({story}) {
  const {facts, upstream_format: sent} = story.head;
  const {usage = {}} = facts;
  const tokens = ['input', 'cached', 'output', 'reasoning'].filter((kind) => usage[kind] || (usage[kind] === 0 && (kind === 'input' || kind === 'output')))
    .map((kind) => t(`exchange.tokens.${kind}`, {count: compact(usage[kind])}));
  return [
    [t('exchange.at'), h('time', {datetime: new Date(facts.at * 1000).toISOString()}, date(facts.at))],
    [t('exchange.took'), facts.over ? duration(story.time.ms) : null],
    [t('exchange.client'), [facts.client, facts.program].filter(Boolean).join(' · ')],
    [t('exchange.formats'), facts.dialect ? (sent && sent !== facts.dialect ? `${format(facts.dialect)} → ${format(sent)}` : format(facts.dialect)) : null],
    [t('exchange.host'), facts.upstream],
    [t('exchange.tokens'), tokens.length ? tokens.join(language === 'zh' ? '，' : ', ') : null],
    [t('exchange.cost'), facts.cost && Object.keys(facts.cost).length ? money(facts.cost) : null],
    [t('exchange.session'), facts.session ? h('a', {href: `#/sessions/${encodeURIComponent(facts.session)}`}, h('code', {}, facts.session.slice(0, 12))) : null],
    [t('exchange.tries'), facts.tries > 1 ? number(facts.tries) : null],
    [t('exchange.request-id'), facts.upstream_id ? h('code.small', {}, facts.upstream_id) : null],
  ].filter(([, value]) => value);
}

function actions({id, story, signal}) {
  const at = `/api/exchanges/${encodeURIComponent(id)}`;
  const said = h('span.small.muted', {role: 'status'});
  const copy = async (made, done) => {
    try {
      await copied(await made());
      said.textContent = done;
    } catch (error) {
      if (!signal.aborted) said.textContent = error.status ? error.message : t('exchange.not-copied');
    }
  };
  const raw = (side) => h('a.button', {href: `${at}/raw/${side}`, target: '_blank', rel: 'noopener'}, t(`exchange.raw.${side}`));
  return h('div.row.actions', {},
    h('button', {type: 'button', onclick: () => copy(async () => location.href, t('exchange.link-copied'))}, t('exchange.copy-link')),
    story.missing ? null : h('button', {type: 'button', onclick: () => copy(() => get(`${at}/curl`, {}, signal), t('exchange.curl-copied'))}, t('exchange.copy-curl')),
    story.missing ? null : ['came', 'sent', ...(story.answer ? ['answer'] : [])].map(raw),
    said);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = h('textarea.offscreen', {readonly: true}, text); // pages by HTTP from elsewhere have no clipboard
    document.body.append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    if (!done) throw new Error('no clipboard');
  }
}

// 3. The changes

function changed({story}, sides) {
  if (!story.changes.length) return h('p.muted', {}, story.head.facts.over || story.sides ? t('exchange.nothing-changed') : t('exchange.not-yet'));
  return [
    story.observed ? h('p.note', {}, t('exchange.only-observed')) : null,
    h('ol.changes', {}, byRule(story.changes).map((alike) => ruleWith(alike, sides))),
  ];
}

function byRule(changes) {
  const found = new Map();
  for (const change of changes) found.set(change.rule, [...(found.get(change.rule) ?? []), change]);
  return [...found.values()];
}

/** A rule with what it has changed. */
function ruleWith(alike, sides) {
  const [{rule, because, repairs, file}] = alike;
  return h('li.rule-of', {},
    h('div', {}, h('code.rule', {}, rule)),
    h('div', {},
      alike.map((change) => h('div.change.row', {id: `change-${change.number}`, tabindex: '-1'},
        change.why ? h('span', {}, change.why) : null,
        change.count > 1 ? tag(`× ${number(change.count)}`) : null,
        places(change, sides))),
      because || repairs ? h('details', {},
        h('summary', {}, t('exchange.why-rule')),
        h('p', {}, prose(repairs)),
        h('p.muted', {}, prose(because)),
        file ? h('p.small.muted', {}, h('code', {}, `addon/${file}`)) : null) : null));
}

const FEW = 6;

function places(change, sides) {
  if (!change.places.length) return null;
  const buttons = change.places.filter(({came, sent}) => came || sent).map((at) => {
    const said = at.came && at.sent && at.came !== at.sent ? [h('code', {}, at.came), ' → ', h('code', {}, at.sent)]
      : !at.came ? ['+ ', h('code', {}, at.sent)] : h('code', {}, at.came);
    return sides ? h('button.place', {type: 'button', onclick: () => sides.go(at, change)}, said) : h('span.place', {}, said);
  });
  if (!buttons.length) return null;
  const rest = change.count - buttons.length;
  return h('div.places', {}, buttons.slice(0, FEW),
    buttons.length > FEW ? h('details.more', {}, h('summary', {}, t('exchange.more-places', {count: number(change.count - FEW)})), buttons.slice(FEW), rest > 0 ? h('span.muted.small', {}, '…') : null) : null);
}

function missing({missing: why, head: {facts}}) {
  const reason = why || (facts.over ? 'unread' : 'not-yet');
  return h('p.muted', {}, t(`exchange.missing.${reason}`));
}

// 7. The cache and the addon's own calls

function calls({story}) {
  const {cache, calls: own} = story;
  const parts = [];
  if (cache) {
    parts.push(h('div.cache', {},
      h('h3', {}, t('exchange.cache')),
      h('p', {}, t('exchange.cache.read', {cached: number(cache.cached), input: number(cache.input), share: share(cache.input ? cache.cached / cache.input : 0)})),
      cache.broken ? h('p', {}, tag(t('exchange.cache.broken'), 'warn'), ' ', cache.broken) : null));
  }
  if (own.length) {
    parts.push(h('h3', {}, t('exchange.own')), h('ul.own', {}, own.map(ownCall)));
  }
  return parts.length ? parts : null;
}

function ownCall(call) {
  const bad = call.outcome && call.outcome !== 'described';
  const facts = [
    call.model, call.upstream,
    call.ms ? duration(call.ms) : null,
    call.status ? `HTTP ${call.status}` : null,
    call.tries > 1 ? t('exchange.own.tries', {count: number(call.tries)}) : null,
    call.usage.input === undefined ? null : t('exchange.own.tokens', {input: number(call.usage.input), output: number(call.usage.output ?? 0)}),
  ].filter(Boolean).join(' · ');
  return h('li', {},
    h('div.row', {},
      h('strong', {}, purpose(call.purpose)),
      call.at ? h('code', {}, call.at) : null,
      call.how ? tag(how(call.how)) : null,
      bad ? tag(call.outcome, 'bad') : null,
      h('span.muted.number', {}, facts)),
    call.prompt ? h('details', {}, h('summary', {}, t('exchange.vision-prompt')), h('pre', {}, call.prompt)) : null,
    call.answer ? h('details', {}, h('summary', {}, t('exchange.vision-answer')), h('pre', {}, call.answer)) : null);
}
