/* Pieces that several views are made of: elements, links to another state, choices, numbers as people read them. */
(() => {
  /* An element: h("div", {class: "x", onclick: …}, children…). Text is text, never markup. */
  function h(tag, props = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "style") for (const [key, v] of Object.entries(value)) made.style.setProperty(key, v);
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
    return made;
  }
  distcari.h = h;

  distcari.link = (content, state, props = {}) => h("a", { href: distcari.search(state), "data-go": true, ...props }, content);

  distcari.pictureFile = (name, size) => `pictures/${name.slice(0, 2)}/${name}-${size}.webp`;

  /* A parameter of the URL changed, as a query string; what is empty is taken away, and a grid begins at its start. */
  distcari.param = (name, value) => {
    const url = new URLSearchParams(location.search);
    value ? url.set(name, value) : url.delete(name);
    for (const page of ["row0", "col0"]) url.delete(`${url.get("view") || "compare"}.${page}`);
    return `?${url}`;
  };

  /* A select that is a parameter of the URL by itself; options are [value, text]; with `none` it can be empty. */
  distcari.choice = (name, title, options, value, { none = "", change = null, label = null } = {}) => {
    const all = [...(none ? [["", none]] : []), ...options];
    const picked = (event) => (change ? change(event.target.value) : distcari.go(distcari.param(name, event.target.value)));
    const made = all.map(([v, text]) => h("option", { value: v, selected: v === (value || "") }, text));
    return h("label", { class: "choice" }, h("span", {}, title), h("select", { name, onchange: picked, "aria-label": label }, made));
  };

  distcari.KEYS = { layer: ["ArrowLeft", "ArrowRight"], image: ["ArrowUp", "ArrowDown"], model: ["M", "m"], seed: [",", "."] };
  distcari.keysOf = (axis) => distcari.KEYS[axis] || ["[", "]"];

  /* A small link ‹ or › to a neighbour, and its key; faint where there is none. */
  distcari.stepper = (axis, step, state, key, props = {}) => {
    const [sign, word] = step < 0 ? ["‹", "Previous"] : ["›", "Next"];
    if (!state) return h("span", { class: "step none", "aria-hidden": "true" }, sign);
    return distcari.link(sign, state, { class: "step", title: `${word} ${axis}`, "aria-label": `${word} ${axis}`, "data-key": key, ...props });
  };

  /* A select of a held axis's label, with links to both neighbours. */
  distcari.walk = (axis, labels, label, to) => {
    const at = Math.max(0, labels.indexOf(label)), [back, forth] = distcari.keysOf(axis);
    const select = distcari.choice(`at.${axis}`, axis, labels.map((text) => [text, text]), label);
    return h("div", { class: "walk" }, distcari.stepper(axis, -1, at > 0 && to(labels[at - 1]), back), select,
      distcari.stepper(axis, 1, at + 1 < labels.length && to(labels[at + 1]), forth));
  };

  /* A figure as shown: three significant digits; a dash for none. As the dashboard's columns.number. */
  distcari.number = (value) => {
    if (typeof value !== "number" || !Number.isFinite(value)) return "—";
    const size = Math.abs(value), rounded = size.toExponential(2), ten = Number(rounded.split("e")[1]);
    const text = size >= 1000 ? size.toLocaleString("en-US", { maximumFractionDigits: 0 })
      : ten < -4 || ten > 2 ? rounded.replace(/e([+-])(\d)$/, (_, sign, digit) => `e${sign}0${digit}`) : size.toFixed(2 - ten);
    return (value < 0 || Object.is(value, -0) ? "-" : "").concat(text).replaceAll("-", "−");
  };
  distcari.title = (name) => name.replaceAll("_", " ");
  distcari.unit = (name) => distcari.site.columns[name]?.[0] || "";
  distcari.meaning = (name) => distcari.site.columns[name]?.[1] || "";
  distcari.count = (n, one) => `${n.toLocaleString("en-US")} ${one}${n === 1 ? "" : "s"}`;

  /* A label that may break after underscores, dashes and slashes. */
  distcari.breakable = (label) => label.split(/(?<=[_/-])/).flatMap((piece, i) => (i ? [h("wbr"), piece] : [piece]));

  /* The names without what all of them begin with, up to a separator. */
  distcari.unlike = (names) => {
    let same = 0;
    if (names.length > 1) while (names.every((name) => name[same] !== undefined && name[same] === names[0][same])) same++;
    const cut = Math.max(...[..."_-. /"].map((sign) => (names[0] || "").slice(0, same).lastIndexOf(sign))) + 1;
    return names.map((name) => name.slice(cut) || name);
  };

  /* A picture's text: "lite0 at _blocks_4 seeing chelsea, seed 0". */
  distcari.alt = (labels) => {
    const more = [...labels].filter(([axis]) => !["model", "layer", "image", "experiment"].includes(axis)).map(([axis, label]) => `${axis} ${label}`);
    return [`${labels.get("model")} at ${labels.get("layer")} seeing ${labels.get("image")}`, ...more].join(", ");
  };

  const memory = new Map(); // for a browser that keeps nothing for pages from the disk
  distcari.kept = (name) => { try { return localStorage.getItem(name); } catch { return memory.get(name) ?? null; } };
  distcari.keep = (name, value) => { memory.set(name, value); try { localStorage.setItem(name, value); } catch { /* this page only */ } };
})();
