// The page: which view is shown, in which language and colours. A view is a module with `show(root, place)`.

import {isLost} from './api.js';
import {fill, h} from './dom.js';
import {language, learn, recalled, remember, speak, t} from './words.js';
import * as exchange from './exchange.js';
import * as exchanges from './exchanges.js';
import * as images from './images.js';
import * as overview from './overview.js';
import * as session from './session.js';
import * as sessions from './sessions.js';
import * as settings from './settings.js';
import words from './main.words.js';

learn(words);

/** The first part of the address behind `#/` -> its view; with a further part, the view of one thing. */
const VIEWS = {
  '': [overview],
  exchanges: [exchanges, exchange],
  sessions: [sessions, session],
  images: [images],
  settings: [settings],
};
const THEME = 'hunyuan-fix-theme';
const WANTED = 'hunyuan-fix-wanted'; // the view that a browser asked for before it signed in (signing_in.py)
const main = document.getElementById('main');
let leaving = new AbortController();
let isFirst = true;

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a % that stands for nothing
  }
}

function place() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  return {path: path.split('/').map(decoded), query: new URLSearchParams(query)};
}

async function go() {
  leaving.abort();
  leaving = new AbortController();
  const {signal} = leaving;
  const {path, query} = place();
  const name = Object.hasOwn(VIEWS, path[0]) ? path[0] : '';
  const views = VIEWS[name];
  const view = path.length > 1 && path[1] && views[1] ? views[1] : views[0];
  document.title = `${t(`nav.${name}`)} · hunyuan-fix`;
  for (const link of document.querySelectorAll('#nav a')) {
    if (link.getAttribute('href') === `#/${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const root = h('div.view');
  fill(main, root);
  window.scrollTo(0, 0);
  if (!isFirst) main.focus({preventScroll: true}); // so that a screen reader begins there
  isFirst = false;
  try {
    await view.show(root, {path, query, signal});
  } catch (error) {
    if (signal.aborted) return;
    fill(root, problem(error), h('p.empty', {}, h('button', {onclick: go}, t('again'))));
    if (!error.status && !isLost(error)) throw error;
  }
}

/** What to show where something can't be shown. */
export function problem(error) {
  return h('p.empty', {role: 'alert'}, isLost(error) ? t('lost') : error.message);
}

function theme(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
}

function head() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  document.getElementById('skip').textContent = t('skip');
  document.getElementById('skip').addEventListener('click', (event) => {
    event.preventDefault(); // the address is the view's
    main.focus();
  });
  const nav = document.getElementById('nav');
  nav.setAttribute('aria-label', t('nav'));
  fill(nav, Object.keys(VIEWS).map((name) => h('a', {href: `#/${name}`}, t(`nav.${name}`))));
  const other = language === 'zh' ? 'en' : 'zh';
  const colours = h('select', {'aria-label': t('theme'), onchange: () => {
    remember(THEME, colours.value);
    theme(colours.value);
  }}, ['', 'light', 'dark'].map((name) => h('option', {value: name}, t(`theme.${name}`))));
  colours.value = recalled(THEME);
  theme(colours.value);
  fill(document.getElementById('tools'), colours, h('button.plain', {lang: other === 'zh' ? 'zh-CN' : 'en', onclick: () => speak(other)}, t('other-language')));
}

function wantedBefore() {
  const wanted = recalled(WANTED);
  remember(WANTED, '');
  if (!location.hash && wanted.startsWith('#/')) history.replaceState(null, '', wanted);
}

wantedBefore();
head();
window.addEventListener('hashchange', go);
go();
