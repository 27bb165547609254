// Charts over the last minutes, each with its figures as a table.
//
// Drawn by Chart.js 4.6.1 (chart.umd.min.js, MIT: chart.LICENSE.txt), unchanged from npm's package of that name. Of the
// small libraries uPlot 1.6.32 is a quarter of its size (51 KB to 210 KB), but had its last release in May 2025; Chart.js
// has one every few months, and a file of 210 KB from this machine is nothing. Both draw on a canvas, which screen readers
// don't see, and neither needs an inline style or `eval`: it works under the page's content security policy.

import './chart.umd.min.js';
import {fill, h, scrolling} from './dom.js';
import {learn, minute, t} from './words.js';
import words from './charts.words.js';

learn(words);

const {Chart} = globalThis;
Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
const colours = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Call `changed` whenever the page has other colours. */
function watchColours(changed, signal) {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, {attributes: true, attributeFilter: ['data-theme']});
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', changed, {signal});
  signal.addEventListener('abort', () => observer.disconnect());
}

/**
 * A chart in a card. `series`: `{name, colour, kind, key}`; the name of a colour in page.css, `bar` (which are stacked) or
 * `line`, dashed if `dashed`. `say(value)`: a value as text. Returns `{element, update(at, values, summary)}`: `at` in
 * seconds of Unix time, `values` a list for each series, `summary` what the chart shows, in a sentence.
 */
export function chart(title, series, say, signal) {
  const canvas = h('canvas', {role: 'img', 'aria-label': title});
  const table = h('div');
  const summary = h('p.small.muted');
  const details = h('details', {ontoggle: () => tabulate()}, h('summary', {}, t('charts.table')), table);
  const element = h('section.card.chart', {}, h('h3', {}, title), summary, h('div.canvas', {}, canvas), details);
  let shown = {at: [], values: series.map(() => [])};

  const drawn = new Chart(canvas, {
    data: {labels: [], datasets: series.map((one) => ({
      type: one.kind, label: one.name, data: [], stack: one.kind === 'bar' ? 'all' : one.name, borderWidth: one.kind === 'bar' ? 0 : 2,
      borderDash: one.dashed ? [5, 4] : [], pointRadius: 0, pointHitRadius: 8, pointStyle: one.kind === 'line' ? 'line' : 'rect', spanGaps: true, maxBarThickness: 14, categoryPercentage: 0.9, barPercentage: 0.95,
    }))},
    options: {
      animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
      interaction: {mode: 'index', intersect: false},
      scales: {
        x: {stacked: true, grid: {display: false}, ticks: {maxRotation: 0, autoSkipPadding: 20}},
        y: {stacked: true, beginAtZero: true, border: {display: false}, ticks: {maxTicksLimit: 5, callback: (value) => say(value)}},
      },
      plugins: {
        legend: {display: series.length > 1, position: 'bottom', labels: {usePointStyle: true, pointStyleWidth: 22, boxHeight: 9}},
        tooltip: {callbacks: {label: (item) => `${item.dataset.label}: ${say(item.raw)}`}},
      },
    },
  });

  function paint() {
    const [text, line] = [colours('muted'), colours('line')];
    drawn.options.color = text;
    for (const axis of Object.values(drawn.options.scales)) Object.assign(axis.ticks, {color: text});
    drawn.options.scales.y.grid = {color: line};
    drawn.data.datasets.forEach((one, at) => Object.assign(one, {borderColor: colours(series[at].colour), backgroundColor: colours(series[at].colour)}));
    drawn.update('none');
  }

  function tabulate() {
    if (!details.open) return fill(table);
    const rows = shown.at.map((at, place) => [at, ...shown.values.map((values) => values[place])]).filter((row) => row.slice(1).some((value) => value)).reverse();
    fill(table, rows.length === 0 ? h('p.small.muted', {}, t('charts.none')) : scrolling(title, h('table.figures', {},
      h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, t('charts.minute')), series.map((one) => h('th.number', {scope: 'col'}, one.name)))),
      h('tbody', {}, rows.map(([at, ...values]) => h('tr', {}, h('th.number', {scope: 'row'}, minute(at)), values.map((value) => h('td.number', {}, value === null ? '–' : say(value)))))))));
  }

  function update(at, values, text) {
    shown = {at, values};
    drawn.data.labels = at.map(minute);
    drawn.data.datasets.forEach((one, place) => { one.data = values[place]; });
    drawn.update('none');
    summary.textContent = text;
    canvas.setAttribute('aria-label', `${title}: ${text}`);
    tabulate();
  }

  paint();
  watchColours(paint, signal);
  signal.addEventListener('abort', () => drawn.destroy());
  return {element, update};
}
