// What the page says, in the reader's language. Each view has a file of words: {"name": {"en": "…", "zh": "…"}}.

const LANGUAGES = ['en', 'zh'];
const KEY = 'hunyuan-fix-language';
const known = {};

/** Add the words of a view. */
export function learn(words) {
  Object.assign(known, words);
}

/** What was chosen under this name; `''` where nothing was, or the browser keeps nothing. */
export function recalled(name) {
  try {
    return localStorage.getItem(name) ?? '';
  } catch {
    return '';
  }
}

/** Keep a choice, if the browser does. */
export function remember(name, value) {
  try {
    if (value) localStorage.setItem(name, value);
    else localStorage.removeItem(name);
  } catch {
    // it holds until the page is closed
  }
}

export const language = (() => {
  const chosen = recalled(KEY);
  if (LANGUAGES.includes(chosen)) return chosen;
  return navigator.languages.map((one) => one.slice(0, 2)).find((one) => LANGUAGES.includes(one)) ?? 'en';
})();

/** Speak another language from now on: the page begins anew. */
export function speak(other) {
  remember(KEY, other);
  location.reload();
}

/** The text with this name; `{name}` in it is replaced by `values.name`. */
export function t(name, values = {}) {
  const text = known[name]?.[language];
  if (text === undefined) throw new Error(`no words for ${name}`);
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? '');
}

const locale = language === 'zh' ? 'zh-CN' : 'en';
const whole = new Intl.NumberFormat(locale, {maximumFractionDigits: 0});
const short = new Intl.NumberFormat(locale, {notation: 'compact', maximumFractionDigits: 1});
const percent = new Intl.NumberFormat(locale, {style: 'percent', maximumFractionDigits: 0});
const clock = new Intl.DateTimeFormat(locale, {hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false});
const hour = new Intl.DateTimeFormat(locale, {hour: '2-digit', minute: '2-digit', hour12: false});
const day = new Intl.DateTimeFormat(locale, {dateStyle: 'medium', timeStyle: 'medium'});

export const number = (value) => whole.format(value);
export const compact = (value) => short.format(value);
export const share = (value) => percent.format(value);
/** Unix time in seconds, as a time of day. */
export const time = (seconds) => clock.format(new Date(seconds * 1000));
/** The same without seconds. */
export const minute = (seconds) => hour.format(new Date(seconds * 1000));
export const date = (seconds) => day.format(new Date(seconds * 1000));
/** Milliseconds, in the unit that a person would choose. */
export function duration(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms === 0) return '0 ms';
  if (ms < 1) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`;
}
/** Amounts by currency, in parts of which there are 10¹² to one: `{USD: 1200000000}`. */
export function money(amounts) {
  const found = Object.entries(amounts ?? {});
  if (!found.length) return '–';
  return found.map(([currency, parts]) => new Intl.NumberFormat(locale, {style: 'currency', currency, maximumSignificantDigits: 3}).format(Number(parts) / 1e12)).join(' + ');
}
