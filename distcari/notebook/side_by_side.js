/* Two to four pictures under one zoom, side by side or swiped over one another; asks nothing of any server.
   Keys act only while the focus is in it, and go no further: a notebook has keys of its own. */
const MOST = 32, STEP = 1.4; // times

function made(tag, props = {}, ...children) {
  const { data = {}, aria = {}, ...rest } = props;
  const element = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(data)) element.dataset[name] = value;
  for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value);
  element.append(...children);
  return element;
}

function picture(one) {
  return made("img", { src: one.src, alt: one.alt, draggable: false });
}

function render({ model, el }) {
  const pictures = model.get("pictures");
  const zoom = { k: 1, x: 0, y: 0 };
  let pair = [0, 1], split = 0.5, held = null;

  const percent = made("output", { aria: { label: "Zoom" } });
  const mode = Object.fromEntries([["side", "side by side"], ["swipe", "swipe"]].map(([name, text]) =>
    [name, made("button", { type: "button", textContent: text, onclick: () => choose(name) })]));
  const button = (text, label, act) => made("button", { type: "button", textContent: text, onclick: act, aria: { label } });
  const which = [0, 1].map((side) => made("select", {
    aria: { label: side ? "Picture on the right" : "Picture on the left" },
    onchange: (event) => { pair[side] = Number(event.target.value); draw(); },
  }, ...pictures.map((one, i) => made("option", { value: String(i), textContent: one.label }))));
  const bar = made("div", { className: "bar" }, mode.side, mode.swipe,
    button("−", "Zoom out", () => zoomBy(1 / STEP)), button("+", "Zoom in", () => zoomBy(STEP)),
    button("fit", "Whole pictures", fit), percent, ...which);
  const panes = made("div", { className: "panes" });
  const range = made("input", {
    type: "range", min: "0", max: "100", value: "50", aria: { label: "Where the two pictures meet" },
    oninput: (event) => { split = event.target.value / 100; show(); },
  });
  const root = made("div", { className: "distcari-side" }, bar, panes, range);
  root.style.setProperty("--columns", pictures.length);

  function choose(name) {
    model.set("mode", name);
    model.save_changes();
    draw();
  }

  function pane(one, ...over) {
    const glass = made("div", { className: "glass", tabIndex: 0, aria: { label: `${one.label}: drag moves, + and − zoom` } },
      picture(one), ...over);
    glass.setAttribute("role", "group");
    return glass;
  }

  function draw() {
    const swipe = model.get("mode") === "swipe";
    root.dataset.mode = swipe ? "swipe" : "side";
    for (const [name, one] of Object.entries(mode)) one.setAttribute("aria-pressed", String((name === "swipe") === swipe));
    range.hidden = !swipe;
    which.forEach((one, side) => { one.hidden = !swipe; one.value = String(pair[side]); });
    const [left, right] = pair.map((i) => pictures[i]);
    const caption = (text) => made("figcaption", { textContent: text });
    panes.replaceChildren(...(swipe
      ? [made("figure", {}, pane(left, made("div", { className: "over" }, picture(right)), made("div", { className: "edge" })),
          caption(`left ${left.caption}; right ${right.caption}`))]
      : pictures.map((one) => made("figure", {}, pane(one), caption(one.caption)))));
    show();
  }

  function show() {
    zoom.k = Math.min(MOST, Math.max(1, zoom.k));
    for (const axis of ["x", "y"]) zoom[axis] = Math.min(0, Math.max(1 - zoom.k, zoom[axis]));
    for (const [name, value] of Object.entries({ ...zoom, split })) root.style.setProperty(`--${name}`, value);
    const glass = panes.querySelector(".glass"), image = panes.querySelector("img");
    const sharp = glass && image.naturalWidth ? (zoom.k * glass.clientWidth) / image.naturalWidth : zoom.k;
    root.toggleAttribute("data-sharp", sharp > 2);
    percent.textContent = `${Math.round(100 * zoom.k)} %`;
  }

  function zoomBy(by, u = 0.5, v = 0.5) {
    const k = Math.min(MOST, Math.max(1, zoom.k * by));
    Object.assign(zoom, { k, x: u - ((u - zoom.x) / zoom.k) * k, y: v - ((v - zoom.y) / zoom.k) * k });
    show();
  }

  function fit() { Object.assign(zoom, { k: 1, x: 0, y: 0 }); show(); }

  function move(x, y) { zoom.x += x; zoom.y += y; show(); }

  const keys = {
    "+": () => zoomBy(STEP), "=": () => zoomBy(STEP), "-": () => zoomBy(1 / STEP), "0": fit,
    ArrowLeft: () => move(0.1, 0), ArrowRight: () => move(-0.1, 0), ArrowUp: () => move(0, 0.1), ArrowDown: () => move(0, -0.1),
    s: () => choose("side"), w: () => choose("swipe"),
  };
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return event.stopPropagation();
    event.stopPropagation();
    if (!(event.key in keys)) return;
    event.preventDefault();
    const at = event.target.closest(".glass") ? [...panes.querySelectorAll(".glass")].indexOf(event.target) : -1;
    keys[event.key]();
    if (at >= 0 && !root.contains(document.activeElement)) panes.querySelectorAll(".glass")[Math.min(at, panes.children.length - 1)].focus();
  });

  function place(event, glass) {
    const box = glass.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }
  panes.addEventListener("wheel", (event) => {
    const glass = event.target.closest(".glass");
    if (!glass || !root.contains(document.activeElement)) return; // the page scrolls until a picture was clicked
    event.preventDefault();
    zoomBy(event.deltaY < 0 ? STEP : 1 / STEP, ...place(event, glass));
  }, { passive: false });
  panes.addEventListener("dblclick", (event) => {
    const glass = event.target.closest(".glass");
    if (glass) zoomBy(2, ...place(event, glass));
  });
  panes.addEventListener("pointerdown", (event) => {
    const glass = event.target.closest(".glass");
    if (!glass) return;
    held = { glass, at: place(event, glass) };
    glass.setPointerCapture(event.pointerId);
  });
  panes.addEventListener("pointermove", (event) => {
    if (!held) return;
    const at = place(event, held.glass);
    move(at[0] - held.at[0], at[1] - held.at[1]);
    held.at = at;
  });
  for (const end of ["pointerup", "pointercancel"]) panes.addEventListener(end, () => { held = null; });

  panes.addEventListener("load", show, true);
  model.on("change:mode", draw);
  el.append(root);
  draw();
  return () => model.off("change:mode", draw);
}

export default { render };
