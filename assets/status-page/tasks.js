import { byId, element, fill, setText, showIfAny, svgElement } from './dom.js';
import { bytes, duration, plural } from './format.js';

const CLASSES = { '.': 'missing', '+': 'flying', '-': 'partial', o: 'origin', p: 'peers', m: 'mixed' };

export function showTasks({ entries, total }, storedBytes, nowMs) {
  const shown = total > entries.length ? `${entries.length} of ${total}` : String(total);
  setText(byId('tasks-count'), total === 0 ? '' : `${shown}, ${bytes(storedBytes)}`);
  showIfAny('tasks', total);
  fill(byId('tasks'), entries, createTask, (item, task) => updateTask(item, task, nowMs));
}

function createTask() {
  return element(
    'li',
    {},
    element('p', { class: 'name' }),
    svgElement('svg', { class: 'piece-map', role: 'img' }),
    element('p', { class: 'about' }, ...['size', 'pieces', 'used', 'pins', 'id'].map(() => element('span'))),
  );
}

function updateTask(item, task, nowMs) {
  const [name, map, about] = item.children;
  setText(name, task.url);
  name.title = task.url;
  drawPieceMap(map, task);
  const [size, pieces, used, pins, id] = about.children;
  setText(size, bytes(task.contentLength ?? task.storedBytes));
  setText(pieces, piecesOf(task));
  setText(used, `used ${duration(nowMs - task.lastUsedAtMs)} ago`);
  setText(pins, task.pinnedBy.length === 0 ? '' : `in use: ${task.pinnedBy.join(', ')}`);
  setText(id, `task ${task.id.slice(0, 12)}`);
}

/** Neighbours of one kind are one rectangle; drawn anew only when something changed. */
function drawPieceMap(svg, task) {
  const cells = task.pieceMap === '' ? '.' : task.pieceMap;
  svg.setAttribute('aria-label', `${piecesOf(task)} stored`);
  if (svg.dataset.cells === cells) return;
  svg.dataset.cells = cells;
  svg.setAttribute('viewBox', `0 0 ${cells.length} 1`);
  svg.setAttribute('preserveAspectRatio', 'none');
  const rectangles = [];
  for (let start = 0; start < cells.length;) {
    let end = start + 1;
    while (cells[end] === cells[start]) end++;
    rectangles.push(
      svgElement('rect', { class: CLASSES[cells[start]] ?? 'missing', x: start, y: 0, width: end - start, height: 1 }),
    );
    start = end;
  }
  svg.replaceChildren(...rectangles);
}

function piecesOf({ complete, storedPieces, pieceCount }) {
  if (complete) return `${storedPieces > 1 ? 'all ' : ''}${plural(storedPieces, 'piece')}`;
  return `${storedPieces} of ${pieceCount ?? 'an unknown number of'} pieces`;
}
