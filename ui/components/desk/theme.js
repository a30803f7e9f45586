// The desk's own tokens stand in the style sheet, once for light and once for dark; Streamlit's background says which.

/** Relative luminance of a CSS colour as `rgb(…)` or `#rrggbb`, 0 black to 1 white. */
export function luminanceOf(colour) {
  const hex = /^#([0-9a-f]{6})$/i.exec(colour.trim());
  const parts = hex ? [0, 2, 4].map((at) => parseInt(hex[1].slice(at, at + 2), 16)) : (colour.match(/[\d.]+/g) ?? ["255", "255", "255"]).slice(0, 3).map(Number);
  const [red, green, blue] = parts.map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function applyTheme(root) {
  const background = getComputedStyle(root).getPropertyValue("--st-background-color").trim() || "#ffffff";
  root.dataset.theme = luminanceOf(background) < 0.4 ? "dark" : "light";
}

/** The colours that the canvas needs, read from the style sheet. */
export function canvasColours(root) {
  const style = getComputedStyle(root);
  const token = (name) => style.getPropertyValue(`--${name}`).trim();
  return { accent: token("wave-accent"), accentInk: token("accent-ink"), loop: token("wave-loop"), target: token("wave-target"), bar: token("wave-bar"), warn: token("warn"), warnTint: token("warn-tint"), line: token("line"), quiet: token("ink-3"), font: style.fontFamily };
}
