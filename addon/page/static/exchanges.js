// The list of exchanges: live, with filters that are in the address, a page of it at a time.
//
// Only the rows of one page are in the document and in memory, however many exchanges there are and for however long
// events come: an event only says that the page is to be asked for anew, soon.

import {get, isLost, listen} from './api.js';
import {address, announce, cut, fill, h} from './dom.js';
import {outcomeTag} from './outcome.js';
import {compact, date, duration, language, learn, money, number, share, t, time} from './words.js';
import words from './exchanges.words.js';

learn(words);

const PAGE = 50;
const FILTERS = ['status', 'model', 'program', 'client', 'session', 'dialect', 'rule', 'slow'];
const STATUSES = ['', 'failed', 'open', '2xx', '4xx', '5xx'];
const DIALECTS = ['', 'chat', 'anthropic', 'responses', 'tencent-cloud', 'embeddings'];
const GATHERED = 700; // milliseconds for which events gather before the page is asked for anew
const READING = 140; // pixels scrolled down from which on somebody reads
const HEARD = ['came', 'repaired', 'queued', 'sent', 'retried', 'first_byte', 'done', 'paid'];
const COLUMNS = ['at', 'from', 'model', 'status', 'changed', 'ms', 'first', 'tokens', 'cached', 'cost'];
const NUMBERS = new Set(['ms', 'first', 'tokens', 'cached', 'cost']);

export async function show(root, {query, signal}) {
  const before = query.get('before') ?? '';
  const view = new View(root, Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ''])), before, signal);
  await view.ask();
  if (!before) listen(() => view.soon(), (isLive) => view.connected(isLive), signal, HEARD, () => view.soon());
}

class View {
  constructor(root, filters, before, signal) {
    Object.assign(this, {root, filters, before, signal});
    this.rows = new Map(); // id -> {element, said}
    this.newest = [];
    this.stopped = false; // by the button
    this.isLive = null; // not yet
    this.timer = 0;
    this.asked = 0;
    this.body = h('tbody');
    this.table = h('table.list', {}, h('caption.live', {}, t('exchanges.caption')), h('thead', {}, h('tr', {}, COLUMNS.map((name) => h(NUMBERS.has(name) ? 'th.number' : 'th', {scope: 'col'}, t(`exchanges.${name}`))))), this.body);
    this.empty = h('div');
    this.pager = h('nav.row.pager', {'aria-label': t('exchanges.pages')});
    this.state = h('span.tag');
    this.more = h('button.main', {hidden: true, onclick: () => this.goOn()});
    this.pause = h('button', {'aria-pressed': 'false', onclick: () => this.press()}, t('exchanges.pause'));
    const bar = h('div.row.state', {}, this.state, this.more, before ? null : this.pause);
    fill(root, h('div.row.heading', {}, h('h1', {}, t('exchanges.title')), bar), this.form(), this.table, this.empty, this.pager);
    signal.addEventListener('abort', () => clearTimeout(this.timer));
    this.body.addEventListener('keydown', (event) => this.move(event));
    // What one reads doesn't move; once nobody reads, what is new comes in.
    for (const event of ['scroll', 'focusin', 'focusout', 'selectionchange']) document.addEventListener(event, () => this.look(), {signal, passive: true});
    this.look();
  }

  // What is shown

  form() {
    const listed = (name, values) => h('select', {name}, values.map((value) => h('option', {value}, value ? t(`exchanges.${name}.${value}`) : t('exchanges.any'))));
    const typed = (name, more = {}) => h('input', {name, type: 'text', autocomplete: 'off', spellcheck: 'false', maxlength: '200', ...more});
    const fields = {
      status: listed('status', STATUSES), dialect: listed('dialect', DIALECTS), model: typed('model'), program: typed('program'),
      client: typed('client'), session: typed('session'), rule: typed('rule'), slow: typed('slow', {type: 'number', min: '0', step: 'any', inputmode: 'decimal'}),
    };
    if (this.filters.status && !STATUSES.includes(this.filters.status)) fields.status.append(h('option', {value: this.filters.status}, this.filters.status));
    if (this.filters.dialect && !DIALECTS.includes(this.filters.dialect)) fields.dialect.append(h('option', {value: this.filters.dialect}, this.filters.dialect));
    for (const name of FILTERS) fields[name].value = this.filters[name];
    this.count = h('summary');
    this.clear = h('a.small', {href: '#/exchanges'}, t('exchanges.clear'));
    let timer = 0;
    const changed = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        for (const name of FILTERS) this.filters[name] = fields[name].value.trim();
        this.filter();
      }, 250);
    };
    this.signal.addEventListener('abort', () => clearTimeout(timer));
    const form = h('form.filters', {oninput: changed, onsubmit: (event) => { event.preventDefault(); changed(); }}, FILTERS.map((name) => h('label', {}, t(`exchanges.by.${name}`), fields[name])));
    this.counted();
    return h('details.card.filtering', {open: this.given().length > 0 || window.innerWidth > 600}, this.count, form, this.clear);
  }

  given() {
    return FILTERS.filter((name) => this.filters[name]);
  }

  counted() {
    const given = this.given().length;
    this.count.textContent = given ? t('exchanges.filters.some', {count: given}) : t('exchanges.filters');
    this.clear.hidden = given === 0;
  }

  /** The filters are others: so is the address, without a new page in the browser's history for each letter. */
  filter() {
    this.counted();
    if (this.before) {
      location.hash = address('exchanges', this.filters);
      return;
    }
    history.replaceState(null, '', address('exchanges', this.filters));
    this.stopped = false;
    this.ask({isNew: true});
  }

  /** Ask for the page. It takes the place of what is shown unless somebody reads that; rows that are shown change always. */
  async ask({isNew = false} = {}) {
    clearTimeout(this.timer);
    this.timer = 0;
    const asked = ++this.asked;
    let page;
    try {
      page = await get('/api/exchanges', {...this.filters, before: this.before, limit: PAGE}, this.signal);
    } catch (error) {
      if (this.signal.aborted || asked !== this.asked) return;
      if (this.rows.size === 0 && !isNew && !error.status) throw error;
      if (isLost(error)) this.connected(false);
      else this.fail(error);
      return;
    }
    if (asked !== this.asked || this.signal.aborted) return;
    this.newest = page.exchanges;
    this.next = page.next;
    const known = new Set(this.newest.map((one) => one.id));
    this.fresh = this.newest.filter((one) => !this.rows.has(one.id)).length;
    if (isNew || this.rows.size === 0 || !this.isRead()) {
      this.replace();
    } else {
      for (const one of this.newest) if (this.rows.has(one.id)) this.row(one);
      this.isFar = this.fresh > 0 && ![...this.rows.keys()].some((id) => known.has(id));
    }
    this.look();
  }

  /** Ask soon, once for all that comes until then. */
  soon() {
    if (!this.timer) this.timer = setTimeout(() => this.ask(), GATHERED);
  }

  replace() {
    const elements = this.newest.map((one) => this.row(one));
    const known = new Set(this.newest.map((one) => one.id));
    for (const id of this.rows.keys()) if (!known.has(id)) this.rows.delete(id);
    // Only what is new or at another place is moved: a row that stays keeps its focus.
    elements.forEach((element, at) => { if (this.body.children[at] !== element) this.body.insertBefore(element, this.body.children[at] ?? null); });
    while (this.body.children.length > elements.length) this.body.lastChild.remove();
    this.fresh = 0;
    this.isFar = false;
    this.table.hidden = elements.length === 0;
    fill(this.empty, elements.length ? null : this.nothing());
    fill(this.pager, this.before ? h('a', {href: address('exchanges', this.filters)}, t('exchanges.newest')) : null,
      this.next ? h('a', {href: address('exchanges', {...this.filters, before: this.next})}, t('exchanges.older')) : null);
  }

  nothing() {
    if (this.before) return h('p.empty', {}, t('exchanges.no-older'));
    if (this.given().length) return h('p.empty', {}, t('exchanges.none'), ' ', h('a', {href: '#/exchanges'}, t('exchanges.clear')));
    return h('p.empty', {}, t('exchanges.nothing'), ' ', h('a', {href: '#/'}, t('exchanges.how')));
  }

  fail(error) {
    this.newest = [];
    this.next = null;
    this.replace();
    fill(this.empty, h('p.empty', {role: 'alert'}, error.message));
  }

  /** The row of an exchange, as it is now. */
  row(one) {
    const said = JSON.stringify(one);
    let kept = this.rows.get(one.id);
    if (!kept) this.rows.set(one.id, kept = {element: h('tr', {'data-id': one.id}), said: '', cells: {}});
    if (kept.said === said) return kept.element;
    kept.said = said;
    const cells = COLUMNS.map((name) => [name, CELLS[name](one)]);
    if (kept.element.childElementCount) {
      for (const [at, [name, content]] of cells.entries()) if (name !== 'at') fill(kept.element.children[at], content); // the link keeps its focus
    } else {
      fill(kept.element, cells.map(([name, content]) => h(`td${NUMBERS.has(name) ? '.number' : ''}.of-${name}`, {'data-label': t(`exchanges.${name}`)}, content)));
    }
    for (const cell of kept.element.children) cell.classList.toggle('unknown', cell.textContent === '–');
    return kept.element;
  }

  // What is live, and what is paused

  isRead() {
    const selected = document.getSelection();
    return this.stopped || window.scrollY > READING || this.body.contains(document.activeElement)
      || (!selected.isCollapsed && this.body.contains(selected.anchorNode));
  }

  /** Say how it stands, and let in what waits if nobody reads any more. */
  look() {
    const isRead = this.isRead();
    if (!isRead && this.fresh > 0) this.replace();
    const state = this.before ? 'still' : this.isLive === null ? 'joining' : !this.isLive ? 'lost' : isRead ? 'paused' : 'live';
    const looks = {still: '', joining: '', lost: 'bad', paused: 'warn', live: 'good'};
    this.state.className = `tag ${looks[state]}`;
    const text = t(`exchanges.is.${state}`);
    if (this.state.textContent !== text) {
      if (this.state.textContent && (state === 'lost' || this.wasLost)) announce(text);
      this.state.textContent = text;
      this.wasLost = state === 'lost';
    }
    this.more.hidden = !this.fresh || this.before !== '';
    if (!this.more.hidden) this.more.textContent = t('exchanges.new', {count: this.isFar || this.fresh >= PAGE ? `${PAGE}+` : number(this.fresh)});
    this.pause.setAttribute('aria-pressed', String(this.stopped));
    this.pause.textContent = this.stopped ? t('exchanges.go-on') : t('exchanges.pause');
  }

  press() {
    this.stopped = !this.stopped;
    this.look();
  }

  /** Show what is new, from the top. */
  goOn() {
    this.stopped = false;
    document.getSelection().removeAllRanges();
    window.scrollTo(0, 0);
    this.replace();
    this.look();
    this.pause.focus();
  }

  connected(isLive) {
    this.isLive = isLive;
    this.look();
  }

  /** Arrows go from row to row. */
  move(event) {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    const row = event.target.closest('tr');
    if (!step || !row || event.target.closest('a')?.dataset.opens === undefined) return;
    const other = step > 0 ? row.nextElementSibling : row.previousElementSibling;
    if (other) {
      event.preventDefault();
      other.querySelector('a[data-opens]').focus();
    }
  }
}

const cachedShare = ({usage}) => (usage?.input ? (usage.cached ?? 0) / usage.input : null);
const MOST_RULES = 3;
const dialect = (name) => (name && DIALECTS.includes(name) ? t(`exchanges.dialect.${name}`) : cut(name ?? ''));

/** Column -> what is in it. */
const CELLS = {
  at: (one) => h('a.number', {href: address(`exchanges/${encodeURIComponent(one.id)}`), title: date(one.at), 'data-opens': true}, time(one.at)),
  from: (one) => [cut(one.program || one.client || t('exchanges.unknown'), 40), h('div.muted.small', {}, [dialect(one.dialect), one.program && one.client ? cut(one.client, 30) : ''].filter(Boolean).join(' · '))],
  model: (one) => [cut(one.model || one.sent_model || '–', 44), one.sent_model && one.model && one.sent_model !== one.model ? h('span.muted', {}, h('span', {'aria-label': t('exchanges.as')}, ' → '), cut(one.sent_model, 44)) : null],
  status: (one) => [outcomeTag(one), one.error && one.over ? h('div.small.muted', {}, cut(one.error, 60)) : null, one.tries > 1 ? h('div.small.muted', {}, t('exchanges.tries', {count: number(one.tries)})) : null],
  changed: (one) => changes(one),
  ms: (one) => (one.over ? duration(one.ms) : '…'),
  first: (one) => (one.first_token_ms ? duration(one.first_token_ms) : '–'),
  tokens: (one) => (one.usage?.input === undefined && one.usage?.output === undefined ? '–' : h('span', {title: t('exchanges.tokens.title', {input: number(one.usage.input ?? 0), output: number(one.usage.output ?? 0)})}, `${compact(one.usage.input ?? 0)} / ${compact(one.usage.output ?? 0)}`)),
  cached: (one) => (cachedShare(one) === null ? '–' : share(cachedShare(one))),
  cost: (one) => money(one.cost),
};

function changes({rules = [], mode, vision_calls: calls = 0, cached = 0}) {
  const images = calls + cached;
  if (!rules.length && !images) return '–';
  const tags = rules.slice(0, MOST_RULES).map((rule) => h('a.tag', {href: address('exchanges', {rule})}, cut(rule, 32)));
  const more = rules.length - tags.length;
  return h('span.tags', {}, mode === 'observe' ? h('span.small.muted', {}, t('exchanges.would')) : null, tags,
    more > 0 ? h('span.tag', {title: rules.slice(MOST_RULES).join(language === 'zh' ? '、' : ', ')}, `+${more}`) : null,
    images ? h('span.tag.accent', {}, t('exchanges.images', {count: number(images)})) : null);
}
