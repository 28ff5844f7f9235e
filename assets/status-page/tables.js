import { byId, element, fill, setText, showIfAny } from './dom.js';
import { bytes, duration, plural, rate, time } from './format.js';

const LIMIT_NAMES = {
  upload: 'all uploads',
  uploadPerTask: 'uploads of a task',
  uploadPerChild: 'uploads to an IP',
  download: 'all downloads',
  backToSource: 'from origins',
};

/** Of a limit that nobody has set: Dragonfly's default. */
const DEFAULT_BYTES_PER_SECOND = 50e9;

const PORT_NAMES = {
  grpc: 'gRPC for peers',
  http: 'pieces by HTTP',
  vortex: 'pieces by vortex',
  scheduler: 'embedded scheduler',
  statusPage: 'this page',
};

export function showTransfers({ entries, total }) {
  setText(byId('transfers-count'), total > entries.length ? `${entries.length} of ${total}` : String(total));
  showIfAny('transfers', total);
  fillTable('transfers', entries, (transfer) => [
    transfer.direction === 'upload' ? 'up' : 'down',
    transfer.peer,
    { text: transfer.taskId.slice(0, 12), class: 'wide' },
    { text: transfer.route, series: transfer.route },
    { text: transfer.reason, class: 'wide' },
    { text: transfer.length === undefined ? '?' : bytes(transfer.length), class: 'number wide' },
    { text: doneOf(transfer), class: 'number' },
    { text: rate(transfer.bytesPerSecond), class: 'number' },
    { text: transfer.waitingFor, class: 'wide' },
  ]);
}

export function showHosts({ entries, total }, nowMs) {
  setText(byId('hosts-count'), total > entries.length ? `${entries.length} of ${total}` : String(total));
  showIfAny('hosts', total);
  fillTable('hosts', entries, (host) => [
    { text: host.address, heading: true },
    { text: bytes(host.downloadedBytes), class: 'number' },
    { text: speed(host.downloadBytesPerSecond), class: 'number' },
    { text: bytes(host.uploadedBytes), class: 'number' },
    { text: speed(host.uploadBytesPerSecond), class: 'number wide' },
    { text: String(host.failedPieces), class: 'number wide' },
    { text: String(host.badPieces), class: host.badPieces > 0 ? 'number alert' : 'number' },
    { text: host.running > 0 ? 'now' : `${duration(nowMs - host.lastSeenAtMs)} ago`, class: 'number wide' },
  ]);
}

export function showLimits({ limits, limitedRoute, interfaceBytesPerSecond, caps }) {
  const binds = limits.some((limit) => limit.binds && limit.name.startsWith('upload'));
  setText(
    byId('limits-note'),
    binds
      ? `An upload limit binds: bytes go by the route ${limitedRoute}.`
      : `No upload limit binds: bytes go by sendfile. The interface carries ${rate(interfaceBytesPerSecond)}.`,
  );
  fillTable('limits', limits, (limit) => [
    { text: LIMIT_NAMES[limit.name] ?? limit.name, heading: true },
    { text: limit.bytesPerSecond === undefined ? 'none' : rate(limit.bytesPerSecond), class: 'number' },
    limit.binds ? 'yes' : 'no',
    setterOf(limit),
  ]);
  fillTable('caps', caps, ({ name, value }) => [
    { text: name, heading: true },
    { text: String(value), class: 'number' },
  ]);
}

function setterOf({ setBy, bytesPerSecond = DEFAULT_BYTES_PER_SECOND }) {
  if (setBy === 'runtime') return 'operator';
  return bytesPerSecond === DEFAULT_BYTES_PER_SECOND ? 'nobody' : 'config';
}

export function showPorts(ports) {
  fillTable('ports', Object.entries(ports), ([name, port]) => [
    { text: PORT_NAMES[name] ?? name, heading: true },
    { text: String(port), class: 'number' },
  ]);
}

export function showSchedulers(schedulers) {
  showIfAny('schedulers', schedulers.length);
  fill(
    byId('schedulers'),
    schedulers,
    () =>
      element('li', {}, element('span'), ' ', element('span', { class: 'state' }), element('p', { class: 'quiet' })),
    (item, { address, healthy, lastError }) => {
      const [name, state, error] = item.children;
      setText(name, address);
      setText(state, healthy ? 'serves' : 'not reached');
      state.dataset.healthy = String(healthy);
      setText(error, healthy ? '' : lastError);
    },
  );
}

export function showWarnings(warnings) {
  setText(byId('warnings-count'), warnings.length === 0 ? '' : `last ${plural(warnings.length, 'line')}`);
  showIfAny('warnings', warnings.length);
  fill(byId('warnings'), warnings, createWarning, (item, { atMs, level, module, message, taskId }) => {
    const [about, text] = item.children;
    const [name, rest] = about.children;
    setText(name, level);
    name.dataset.level = level;
    setText(
      rest,
      [time(atMs), module, taskId === undefined ? '' : `task ${taskId.slice(0, 12)}`].filter(Boolean).join(' · '),
    );
    setText(text, message);
  });
}

function createWarning() {
  const about = element('p', { class: 'about' }, element('span', { class: 'level' }), ' ', element('span'));
  return element('li', {}, about, element('p', { class: 'text' }));
}

function doneOf({ bytes: done, length }) {
  return length === undefined ? bytes(done) : `${Math.floor((done / length) * 100)} %`;
}

function speed(bytesPerSecond) {
  return bytesPerSecond === 0 ? '–' : rate(bytesPerSecond);
}

/** Rows of cells; a cell is a text, or { text, class, heading, series }. Cells stay, only their texts change. */
function fillTable(id, rows, cellsOf) {
  fill(
    byId(id),
    rows,
    () => element('tr'),
    (row, entry) => {
      const cells = cellsOf(entry).map((cell) => (typeof cell === 'string' ? { text: cell } : cell));
      while (row.children.length < cells.length) row.append(createCell(cells[row.children.length]));
      cells.forEach((cell, index) => updateCell(row.children[index], cell));
    },
  );
}

function createCell({ heading }) {
  return heading ? element('th', { scope: 'row' }, element('span')) : element('td', {}, element('span'));
}

function updateCell(node, { text, class: className = '', series }) {
  node.className = className;
  const [content] = node.children;
  content.className = series === undefined ? '' : `series ${series}`;
  setText(content, text);
}
