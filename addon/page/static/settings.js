// What is set, and where each value comes from. Nothing is changed here but the mode, after a question.

import {get, post} from './api.js';
import {ask} from './ask.js';
import {fill, h} from './dom.js';
import {learn, number, t} from './words.js';
import words from './settings.words.js';

learn(words);

const MODES = ['repair', 'observe', 'off'];
/** Sources that win over a file, which could change a value while the proxy runs. */
const FIXED = ['--set', 'environment'];

export async function show(root, {query, signal}) {
  const found = await get('/api/settings', {}, signal);
  const all = found.subjects.flatMap((subject) => subject.options);
  const others = all.filter((option) => !option.is_default);
  const search = h('input', {type: 'search', value: query.get('search') ?? '', autocomplete: 'off', oninput: () => filter()});
  const count = h('p.muted.small', {role: 'status', 'aria-live': 'polite'});
  const first = h('section', {},
    h('h2', {}, t('settings.others')),
    others.length ? h('div.card.options', {}, others.map((option) => row(option, false))) : h('p.muted', {}, t('settings.no-others')));
  const subjects = found.subjects.map((subject) => {
    const rows = subject.options.map((option) => [option, row(option)]);
    return {rows, element: h('section', {}, h('h3.subject', {}, subject.title), h('div.card.options', {}, rows.map(([, element]) => element)))};
  });
  const none = h('p.empty', {hidden: true}, t('settings.none'));

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const {rows, element} of subjects) {
      let here = 0;
      for (const [option, line] of rows) {
        const text = `${option.name} ${option.value} ${option.help} ${option.where}`.toLowerCase();
        line.hidden = !words.every((word) => text.includes(word));
        here += line.hidden ? 0 : 1;
      }
      element.hidden = !here;
      shown += here;
    }
    first.hidden = words.length > 0;
    none.hidden = shown > 0;
    count.textContent = words.length ? t('settings.found', {count: number(shown)}) : t('settings.count', {count: number(all.length), others: number(others.length)});
  }

  fill(root,
    h('h1', {}, t('settings.title')),
    modeCard(found, signal),
    wrong(found),
    h('div.row.settings-search', {role: 'search'}, h('label', {}, t('settings.search'), search), count),
    first,
    h('section', {}, h('h2', {}, t('settings.all')), h('p.muted.small', {}, t('settings.legend'), ' ', found.files.some((file) => file.option === 'hunyuan_config') ? t('settings.legend.files') : t('settings.legend.no-files')), subjects.map(({element}) => element), none),
    about(found));
  filter();
}

/** What is wrong: files that can't be used, values that have no effect. */
function wrong({files, unused}) {
  const bad = files.filter((file) => !file.usable);
  if (!bad.length && !unused.length) return null;
  return h('section.card', {},
    h('h2', {}, t('settings.wrong')),
    h('ul', {},
      bad.map((file) => h('li', {}, h('span.tag.bad', {}, t('settings.unusable')), ' ', h('code', {}, file.path), ` ${t('settings.unusable.means')}`)),
      unused.map((one) => h('li', {}, h('span.tag.warn', {}, t('settings.unused')), ' ', h('code', {}, one.name), ` ${t('settings.unused.means', {where: one.where, winner: one.winner})}`))));
}

function modeCard({mode: now}, signal) {
  const card = h('section.card', {'aria-labelledby': 'mode-title'});
  const said = h('p.small', {role: 'status'});

  function draw(mode) {
    const isOther = mode.mode !== mode.given;
    fill(card,
      h('h2', {id: 'mode-title'}, t('settings.mode'), ' ', h(`span.tag.${{repair: 'good', observe: 'warn', off: 'bad'}[mode.mode]}`, {}, t(`settings.mode.${mode.mode}`))),
      h('p', {}, t(`settings.mode.${mode.mode}.now`)),
      isOther ? h('p.muted', {}, t('settings.mode.switched'), ' ', until(mode)) : null,
      h('div.row', {role: 'group', 'aria-label': t('settings.mode.choose')}, MODES.map((name) => h(name === mode.mode ? 'button.main' : 'button', {'aria-pressed': String(name === mode.mode), 'data-mode': name, onclick: () => choose(mode, name)}, t(`settings.mode.${name}`)))),
      said);
  }

  async function choose(mode, name) {
    if (name === mode.mode) return;
    const text = [t(`settings.mode.${name}.means`), t('settings.mode.from-now'), name === mode.given ? t('settings.mode.back') : until(mode), t('settings.mode.logged')];
    if (!await ask({title: t(`settings.mode.${name}.ask`), text, action: t('settings.mode.switch'), isDangerous: name === 'off'}, signal)) return;
    try {
      const after = await post('/api/mode', {mode: name});
      if (signal.aborted) return;
      draw(after);
      said.textContent = t('settings.mode.done', {mode: t(`settings.mode.${after.mode}`)});
      card.querySelector(`[data-mode="${after.mode}"]`)?.focus();
    } catch (error) {
      said.textContent = error.message;
    }
  }

  draw(now);
  return card;
}

/** How long a mode lasts that was switched here. */
function until(mode) {
  const values = {mode: t(`settings.mode.${mode.given}`), where: mode.where};
  const how = {file: 'file', default: 'default'}[mode.source] ?? 'start';
  return t(`settings.mode.until.${how}`, values);
}

/** Backquotes are code; of a link to another document its name is left. */
function marked(text) {
  const words = text.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
  return words.split('`').map((part, place) => place % 2 ? h('code', {}, part) : part);
}

function row(option, marks = true) {
  return h('div.option', {'data-option': option.name},
    h('p.option-name', {}, h('code', {}, option.name), ' ',
      option.is_default || !marks ? null : h('span.tag.accent', {}, t('settings.changed')), ' ',
      option.at_start ? h('span.tag', {}, t('settings.at-start')) : FIXED.includes(option.source) ? h('span.tag', {}, t('settings.fixed')) : null),
    h('div.option-value', {}, value(option),
      h('p.muted.small', {}, source(option), option.is_default ? '' : ` · ${t('settings.default', {value: option.default || t('settings.empty')})}`)),
    h('div.option-help.small.muted', {}, h('p', {}, marked(option.help)), option.accepted ? h('p', {}, marked(t('settings.accepted', {accepted: option.accepted}))) : null));
}

function value(option) {
  if (!option.value) return h('p.muted', {}, t('settings.empty'));
  if (!option.is_table) return h('p', {}, h('code.value', {}, option.value));
  let text = option.value;
  try {
    text = JSON.stringify(JSON.parse(option.value), null, 2);
  } catch {
    // shown as it is
  }
  return h('details', {}, h('summary', {}, t('settings.table')), h('pre.settings-table', {}, text));
}

function source(option) {
  const name = {'--set': 'set', 'config.yaml': 'own'}[option.source] ?? option.source;
  return t(`settings.source.${name}`, {where: option.where, given: option.given || t('settings.empty')});
}

function about({files, keys, profiles, plugins, versions}) {
  const list = (title, items, empty) => h('section.card', {}, h('h3', {}, title), items.length ? h('ul.plain-list', {}, items.map((item) => h('li', {}, item))) : h('p.muted', {}, empty));
  return h('section', {}, h('h2', {}, t('settings.more')), h('div.settings-more', {},
    list(t('settings.files'), files.map((file) => [h('span', {class: file.usable ? 'tag good' : 'tag bad'}, file.usable ? t('settings.usable') : t('settings.unusable')), ' ', h('code', {}, file.path), h('span.muted.small', {}, ` ${file.option}`)]), t('settings.no-files')),
    list(t('settings.keys'), keys.map((key) => [h('span', {class: key.set ? 'tag good' : 'tag'}, key.set ? t('settings.set') : t('settings.unset')), ' ', h('code', {}, key.name)]), ''),
    list(t('settings.plugins'), plugins.map((plugin) => [h('span', {class: plugin.loaded ? 'tag good' : 'tag bad'}, plugin.loaded ? t('settings.loaded') : t('settings.not-loaded')), ' ', h('code', {}, plugin.name), ' ', plugin.why]), t('settings.no-plugins')),
    list(t('settings.profiles'), [profiles.names.join(', '), profiles.folder ? [t('settings.profiles.folder'), ' ', h('code', {}, profiles.folder)] : t('settings.profiles.none')], ''),
    list(t('settings.versions'), Object.entries({'hunyuan-fix': versions.version, mitmproxy: versions.mitmproxy, Python: versions.python}).map(([name, version]) => `${name} ${version}`), '')));
}
