// Elements, icons and keycaps. Text always enters as text: nothing here reads markup.

/**
 * Make one element.
 * @param {string} tag
 * @param {Object} [props] `class`, `data` (dataset), `on` (listeners); anything else is an attribute, dropped when null or false
 * @param {...(Node|string|null|false)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A Material Symbol by its name; decoration only, the word stands beside it. */
export function icon(name, size = 16, tone = "") {
  const node = h("span", { class: `icon ${tone}`.trim(), "aria-hidden": "true" }, name);
  node.style.fontSize = `${size}px`;
  return node;
}

export function keycap(label) {
  return h("kbd", { "aria-hidden": "true" }, label);
}

/** Change a text only when it differs, so that nothing is laid out again for nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

export function seconds(value) {
  return value.toFixed(2);
}

export function score(value) {
  return value === null || value === undefined ? "–" : value.toFixed(2);
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/** A button that the mouse does not leave focused, so that Space goes on meaning play. */
export function button(props, ...children) {
  const node = h("button", { type: "button", ...props }, ...children);
  node.addEventListener("mousedown", (event) => event.preventDefault());
  return node;
}
