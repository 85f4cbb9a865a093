/* Side by side: one zoom, pan and cross-hair for all panes, swipe, flicker, the active slot. No question to the server:
   all panes read the same CSS variables of #side. Zoom and the match map's opacity are written into the URL. */
(() => {
  const MOST = 64, BEAT = 400, GRAB = "a, button, input, .divider"; // times; ms of each picture: well under 3 flashes a second
  let root = null, zoom = { k: 1, x: 0, y: 0 }, active = "a", match = 0, split = 50, saving = 0, beat = 0, last = 0;
  const pointers = new Map();
  const all = (query) => (root ? [...root.querySelectorAll(query)] : []);
  const here = () => document.getElementById("side");

  /* One picture pixel on one CSS pixel is 100 %. */
  function whole() {
    const glass = all(".side-pane:not([data-input]) .glass")[0];
    const image = all(".side-pane:not([data-input]) .world img").find((i) => i.naturalWidth);
    return glass && image ? image.naturalWidth / glass.clientWidth : 1;
  }

  function show() {
    if (!root) return;
    const lowest = Math.min(1, whole());
    zoom.k = Math.min(MOST, Math.max(lowest, zoom.k));
    for (const axis of ["x", "y"]) {
      zoom[axis] = zoom.k <= 1 ? (1 - zoom.k) / 2 : Math.min(0, Math.max(1 - zoom.k, zoom[axis]));
    }
    const sharp = zoom.k / whole();
    for (const [name, value] of Object.entries(zoom)) root.style.setProperty(`--${name}`, value);
    root.style.setProperty("--match", match / 100);
    root.style.setProperty("--split", split / 100);
    root.toggleAttribute("data-sharp", sharp > 1.0001);
    root.toggleAttribute("data-zoomed", zoom.k > 1);
    root.toggleAttribute("data-match", match > 0);
    document.getElementById("side-percent").textContent = `${Math.round(sharp * 100)} %`;
    for (const divider of all(".divider")) divider.setAttribute("aria-valuenow", Math.round(split));
  }

  function save() {
    clearTimeout(saving);
    saving = setTimeout(() => {
      const url = new URLSearchParams(location.search);
      if (url.get("view") !== "side") return;
      const text = [zoom.k, zoom.x, zoom.y].map((n) => Number(n.toFixed(3))).join(",");
      const keep = { "side.zoom": text === "1,0,0" ? "" : text, "side.match": match ? String(match) : "" };
      for (const [name, value] of Object.entries(keep)) value ? url.set(name, value) : url.delete(name);
      const search = `?${url}`;
      if (search !== location.search) history.replaceState(history.state, "", search);
    }, 300);
  }

  function change(next) { Object.assign(zoom, next); show(); save(); }

  function zoomTo(k, u = 0.5, v = 0.5) {
    k = Math.min(MOST, Math.max(Math.min(1, whole()), k));
    change({ k, x: u - ((u - zoom.x) / zoom.k) * k, y: v - ((v - zoom.y) / zoom.k) * k });
  }

  /* Buttons go to whole multiples of 100 %, where every picture pixel has the same size. */
  function button(what) {
    const one = whole(), now = zoom.k / one;
    const steps = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48].filter((s) => s * one <= MOST);
    if (what === "fit") return change({ k: 1, x: 0, y: 0 });
    if (what === "one") return zoomTo(one);
    const next = what === "in" ? steps.find((s) => s > now * 1.001) : steps.reverse().find((s) => s < now * 0.999);
    zoomTo(what === "out" && (!next || next * one < 1) ? 1 : (next ?? steps.at(-1)) * one);
  }

  function place(event, glass) { // where in a pane, 0 to 1
    const box = glass.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  function cross(event, glass) {
    const [u, v] = place(event, glass), at = [(u - zoom.x) / zoom.k, (v - zoom.y) / zoom.k];
    const inside = at.every((n) => n >= 0 && n < 1);
    root.toggleAttribute("data-pointing", inside);
    if (!inside) return;
    root.style.setProperty("--u", at[0]);
    root.style.setProperty("--v", at[1]);
    for (const pane of all(".side-pane[data-slot]")) {
      const image = pane.querySelector("img.picture"), text = pane.querySelector("[data-rgb]");
      if (image?.complete && image.naturalWidth && text) text.textContent = pixel(image, at);
    }
  }

  const canvases = new WeakMap();
  function pixel(image, [u, v]) {
    const [w, h] = [image.naturalWidth, image.naturalHeight];
    let kept = canvases.get(image);
    if (kept?.src !== image.currentSrc) {
      const canvas = Object.assign(document.createElement("canvas"), { width: w, height: h });
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      canvases.set(image, (kept = { src: image.currentSrc, context }));
    }
    return [...kept.context.getImageData(Math.floor(u * w), Math.floor(v * h), 1, 1).data].slice(0, 3).join(" ");
  }

  function leave() { root?.removeAttribute("data-pointing"); all("[data-rgb]").forEach((e) => { e.textContent = ""; }); }

  function slide(event, glass) { split = Math.min(100, Math.max(0, place(event, glass)[0] * 100)); show(); }

  function down(event) {
    const glass = event.target.closest(".glass"), pane = glass?.closest(".side-pane");
    if (!glass || event.button) return;
    if (pane.dataset.slot) activate(pane.dataset.slot);
    const divider = event.target.closest(".divider");
    if (!divider && event.target.closest(GRAB)) return;
    if (!divider) event.preventDefault(); // no selection, no dragged image; the divider takes the focus
    glass.setPointerCapture(event.pointerId);
    const swipes = divider || (glass.querySelector(".divider") && zoom.k <= 1);
    pointers.set(event.pointerId, { event, glass, swipes });
    if (swipes && divider) slide(event, glass);
  }

  function move(event) {
    const glass = event.target.closest?.(".glass");
    const held = pointers.get(event.pointerId);
    if (glass && pointers.size < 2) cross(event, glass); else leave();
    if (!held) return;
    if (held.swipes && pointers.size === 1) slide(event, held.glass);
    else if (pointers.size === 1) {
      const [u, v] = place(event, held.glass), [a, b] = place(held.event, held.glass);
      change({ x: zoom.x + u - a, y: zoom.y + v - b });
    } else if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1].event;
      const apart = (e) => Math.hypot(e.clientX - other.clientX, e.clientY - other.clientY);
      const middle = (e) => place({ clientX: (e.clientX + other.clientX) / 2, clientY: (e.clientY + other.clientY) / 2 }, held.glass);
      const [u, v] = middle(event), [a, b] = middle(held.event);
      zoomTo(zoom.k * (apart(event) / Math.max(apart(held.event), 1)), u, v);
      change({ x: zoom.x + u - a, y: zoom.y + v - b });
    }
    held.event = event;
  }

  function up(event) { pointers.delete(event.pointerId); if (event.pointerType !== "mouse") leave(); }

  function wheel(event) {
    const glass = event.target.closest(".glass");
    if (!glass) return;
    const by = -event.deltaY * (event.deltaMode ? 18 : 1) * (event.ctrlKey ? 0.01 : 0.002);
    if (by < 0 && zoom.k <= 1 && event.timeStamp - last > 350 && !event.ctrlKey) return; // at its smallest, the page scrolls
    event.preventDefault();
    if (by < 0 && zoom.k <= 1) return;
    last = event.timeStamp;
    const [u, v] = place(event, glass);
    by < 0 && zoom.k * Math.exp(by) < 1 ? button("fit") : zoomTo(zoom.k * Math.exp(by), u, v);
    cross(event, glass);
  }

  function flip(on) { root?.toggleAttribute("data-flip", on); }
  function hold() {
    if (beat) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches; // then the other picture stays while held
    flip(true);
    beat = setInterval(() => { if (!still) flip(!root?.hasAttribute("data-flip")); }, BEAT);
    document.getElementById("side-hold")?.setAttribute("data-held", "");
  }
  function release() {
    clearInterval(beat);
    beat = 0;
    flip(false);
    document.getElementById("side-hold")?.removeAttribute("data-held");
  }

  function activate(name) {
    const names = all(".slot-card").map((card) => card.dataset.slot);
    if (names.length) active = names.includes(name) ? name : "a";
    for (const card of all(".slot-card")) {
      card.toggleAttribute("data-active", card.dataset.slot === active);
      card.querySelector(".slot-pick").setAttribute("aria-pressed", card.dataset.slot === active);
    }
    for (const part of all("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(active);
  }

  const TYPING = "input:not([type=radio]), textarea, select, [contenteditable=true], [role=dialog], [role=listbox]";
  function key(event) {
    root = here();
    if (!root || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    const control = event.target.closest?.("[role=slider], input[type=radio]");
    if (event.target.matches?.(".divider") && /^Arrow(Left|Right)$/.test(event.key)) {
      split = Math.min(100, Math.max(0, split + (event.key === "ArrowLeft" ? -2 : 2)));
      show();
    } else if (event.key === " " && !event.target.closest?.("button:not(#side-hold), a[role=switch], [role=slider]")) hold();
    else if (/^[1-4]$/.test(event.key)) activate("abcd"[event.key - 1]);
    else if (!control) {
      const link = all(`.slot-card[data-active] [data-step="${event.key}"]`)[0];
      if (!link) return;
      link.click();
    } else return;
    event.preventDefault();
    event.stopPropagation(); // not also a key of another view's tiles
  }

  function begin() { // a new page of this view: what the URL says
    const url = new URLSearchParams(location.search), [k, x, y] = (url.get("side.zoom") || "1,0,0").split(",").map(Number);
    zoom = [k, x, y].every(Number.isFinite) && k > 0 ? { k, x, y } : { k: 1, x: 0, y: 0 };
    [split, active] = [50, "a"];
    release();
    // dcc.Location learns its own href with its first change of props, and pushes it: before save() changes the address.
    window.dash_clientside.set_props("url", { href: location.href });
    root.addEventListener("wheel", wheel, { passive: false });
    for (const name of ["touchstart", "touchmove"]) {
      root.addEventListener(name, (e) => { if (e.touches.length > 1 && e.cancelable) e.preventDefault(); }, { passive: false });
    }
    for (const [name, then] of [["pointerdown", down], ["pointermove", move], ["pointerup", up], ["pointercancel", up], ["pointerleave", leave]]) {
      root.addEventListener(name, then);
    }
    root.addEventListener("dblclick", (e) => { if (e.target.closest(".glass")) button("fit"); });
    root.addEventListener("load", show, true);
    new ResizeObserver(show).observe(root);
  }

  function ready() {
    const next = here();
    if (!next) return;
    if (next !== root || !next.dataset.begun) { root = next; root.dataset.begun = "1"; begin(); }
    activate(active);
    show();
    save();
  }

  document.addEventListener("keydown", key, true);
  document.addEventListener("keyup", (event) => { if (event.key === " " || event.key === "Enter") release(); });
  window.addEventListener("blur", release);
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest?.("#side-hold") || event.button) return;
    event.preventDefault();
    root = here();
    hold();
  });
  for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, release);
  document.addEventListener("contextmenu", (event) => { if (event.target.closest?.("#side-hold")) event.preventDefault(); });
  document.addEventListener("click", (event) => {
    root = here();
    const zooms = event.target.closest?.("[data-zoom]"), pick = event.target.closest?.(".slot-pick");
    if (root && zooms) button(zooms.dataset.zoom);
    if (root && pick) activate(pick.closest(".slot-card").dataset.slot);
  });
  document.addEventListener("mousedown", (event) => { // a mouse leaves the focus where it is: Space goes on to flicker
    if (event.target.closest?.(".side .plain-button, .side .slot-pick")) event.preventDefault();
  });
  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    side: {
      ready: () => { setTimeout(ready, 0); return window.dash_clientside.no_update; },
      match: (value) => { match = value || 0; setTimeout(() => { show(); save(); }, 0); return window.dash_clientside.no_update; },
    },
  });
})();
