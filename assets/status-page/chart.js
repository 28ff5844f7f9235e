import { rate } from './format.js';
import { svgElement } from './dom.js';

/** Seconds shown. */
const LENGTH = 120;
const [WIDTH, HEIGHT] = [600, 136];
/** An idle line lies on the ground instead of looking busy. */
const MIN_SCALE = 1024 * 1024;

/** Stacked areas of the series over time, the newest at the right. */
export function drawChart(svg, history, series) {
  const shown = history.slice(-LENGTH);
  const total = (rates) => series.reduce((sum, name) => sum + rates[name], 0);
  const peak = niceAbove(Math.max(MIN_SCALE, ...shown.map(total)));
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  let below = shown.map(() => 0);
  const areas = series.map((name) => {
    const above = shown.map((rates, index) => below[index] + rates[name]);
    const path = areaPath(below, above, peak);
    below = above;
    return svgElement('path', { class: name, d: path });
  });
  const middle = HEIGHT / 2;
  svg.replaceChildren(
    svgElement('line', { class: 'grid', x1: 0, x2: WIDTH, y1: middle, y2: middle }),
    svgElement('line', { class: 'grid', x1: 0, x2: WIDTH, y1: 0.5, y2: 0.5 }),
    ...areas,
  );
  const now = shown.at(-1);
  const parts = now === undefined ? [] : series.map((name) => `${name} ${rate(now[name])}`);
  svg.setAttribute('aria-label', `Now ${parts.join(', ')}; the scale ends at ${rate(peak)}`);
  return peak;
}

function areaPath(below, above, peak) {
  if (above.length === 0) return '';
  const x = (index) => WIDTH - ((above.length - 1 - index) * WIDTH) / (LENGTH - 1);
  const y = (value) => HEIGHT - (value / peak) * (HEIGHT - 2);
  const point = (value, index) => `${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
  const forth = above.map(point);
  const back = below.map(point).reverse();
  return `M${[...forth, ...back].join('L')}Z`;
}

/** The next of 1, 2, 4, 8, … mebibytes: a scale that stays put. */
function niceAbove(value) {
  return 2 ** Math.ceil(Math.log2(value));
}
