/* global document */

const SVG = 'http://www.w3.org/2000/svg';

/** The element with this id; the page has it. */
export function byId(id) {
  return document.getElementById(id);
}

/** Texts only ever become text: what comes from outside is never markup. */
export function element(name, attributes = {}, ...children) {
  return build(document.createElement(name), attributes, children);
}

export function svgElement(name, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, name), attributes, children);
}

function build(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Sets a text if it is another one: what did not change keeps its selection, and is not read out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes a list as long as `items`, with new children from `create`, and has `update` fill each in. */
export function fill(parent, items, create, update) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(create());
  items.forEach((item, index) => update(parent.children[index], item));
}

/** Shows one of two: the content, or that there is none. */
export function showIfAny(id, count) {
  const list = byId(id);
  (list.closest('.scroll') ?? list).hidden = count === 0;
  byId(`${id}-empty`).hidden = count > 0;
}
