// How the page gets at its elements and fills them. Text from the network only ever becomes text: nothing here, or
// anywhere in the page, makes HTML of it, and the content security policy forbids it.

/**
 * The element with that id, which index.html has.
 * @template {Element} [E=HTMLElement]
 * @param {string} id
 */
export function byId(id) {
  return /** @type {E} */ (/** @type {unknown} */ (document.getElementById(id)));
}

/**
 * Sets text if it is another: what has not changed is not announced, laid out or selected away.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A new element with text in it.
 * @param {string} tag
 * @param {string} [text]
 * @param {string} [className]
 */
export function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className !== undefined) made.className = className;
  return made;
}

/**
 * Fills a description list: pairs of term and description. Elements are kept from one time to the next.
 * @param {HTMLElement} list
 * @param {readonly (readonly [string, string])[]} pairs
 */
export function fillList(list, pairs) {
  fitChildren(list, pairs.length, () => {
    const row = element('div');
    row.append(element('dt'), element('dd'));
    return row;
  });
  pairs.forEach(([term, description], at) => {
    const [dt, dd] = list.children[at].children;
    setText(dt, term);
    setText(dd, description);
  });
}

/**
 * Adds or removes children at the end until there are so many.
 * @param {HTMLElement} parent
 * @param {number} length
 * @param {() => HTMLElement} make
 */
export function fitChildren(parent, length, make) {
  while (parent.children.length > length) parent.lastElementChild?.remove();
  while (parent.children.length < length) parent.append(make());
}
