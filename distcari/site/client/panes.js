/* The stage of side by side: panes that share one zoom. What moves in each is its `world` (see assets/side.js). */
(() => {
  const { h, number } = distcari;
  const COLOURS = { a: "#1a6fc4", b: "#c2410c", c: "#237a3c", d: "#9c36b5" };
  const badge = (name) => (name === "input" ? h("b", { class: "slot-badge of-input" }, "input") : h("b", { class: `slot-badge ${name}`, style: { background: COLOURS[name] } }, name.toUpperCase()));
  const hidden = { "aria-hidden": "true" };

  /* Slots with what lies there: `labels`, `status`, `reason`, `file`, `key`, figures `gain` and `cosine`. */
  async function found(slots) {
    return Promise.all(slots.map(async (labels) => {
      const slot = distcari.slot([labels.get("experiment")], labels), one = distcari.experiment(slot.experiment);
      if (slot.status !== "done") { await one?.reasons(); return distcari.slot([labels.get("experiment")], labels); }
      const [row] = await Promise.all([distcari.rowOf(one, slot.place), one.need([slot.place])]);
      return { ...slot, key: one.key(slot.place), file: distcari.pictureFile(one.picture(slot.place), "large"), gain: row.numbers.get("gain"), cosine: row.numbers.get("cosine") };
    }));
  }

  const picture = (file, alt, kind = "picture") => h("img", { src: file, alt, class: kind, draggable: "false" });
  const why = (title, reason) => h("div", { class: `side-why ${title.replace(" ", "-")}` }, h("strong", {}, title === "pending" ? "not done" : title), h("span", {}, reason));
  const world = (slot, name) => (slot.file ? h("div", { class: "world" }, picture(slot.file, `Slot ${name.toUpperCase()}: ${distcari.alt(slot.labels)}`)) : why(slot.status, slot.reason));

  function figure(inside, caption, props = {}) {
    return h("figure", { class: "side-pane", ...props }, h("div", { class: "glass" }, inside, h("i", { class: "cross-x", ...hidden }), h("i", { class: "cross-y", ...hidden })), h("figcaption", {}, caption));
  }

  function pane(state, slots, i) {
    const slot = slots[i], name = distcari.slotNames[i], parts = [world(slot, name)];
    if (i && slot.file && slots[0].file) parts.push(h("div", { class: "ghost", ...hidden }, h("div", { class: "world" }, picture(slots[0].file, "")), badge("a")));
    const said = slot.file ? [h("span", { class: "side-said" }, `gain ${number(slot.gain)} · cosine ${number(slot.cosine)}`),
      distcari.link("open", { ...distcari.parse(""), view: "cell", experiments: state.experiments, cell: slot.key }, { class: "side-open", "aria-label": `Open the cell of slot ${name.toUpperCase()}` })]
      : [h("span", { class: "side-said" }, slot.status)];
    return figure(parts, [badge(name), ...said], { "data-slot": name });
  }

  const summary = (slot) => [...slot.labels].filter(([axis]) => ["model", "layer", "image"].includes(axis)).map(([, label]) => label).join(" · ");

  function inputPicture(slot) {
    const image = slot.labels.get("image"), file = distcari.inputOf([slot.experiment], image);
    return file ? h("div", { class: "world" }, picture(file, `Input image ${image}`)) : why("no input", "It was not kept.");
  }

  function pair(slots, options) { // two pictures over each other, for swipe and flicker
    const halves = [], caption = [];
    for (const [side, name] of [["left", options.left], ["right", options.right]]) {
      const slot = name === "input" ? slots[0] : slots[distcari.slotNames.indexOf(name)];
      halves.push(h("div", { class: `half ${side}` }, name === "input" ? inputPicture(slot) : world(slot, name), h("span", { class: "side-mark" }, badge(name))));
      caption.push(h("span", { class: `of-${side}` }, badge(name), h("span", { class: "side-said" }, name === "input" ? slot.labels.get("image") : summary(slot))));
    }
    if (options.mode === "swipe") {
      const aria = { role: "slider", "aria-label": "Divider", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 50 };
      halves.push(h("div", { class: "divider", tabindex: 0, ...aria }, h("span", {}, "⇔")));
    }
    return figure(halves, caption, { "data-pair": true });
  }

  /* B − A by blending, as no page from the disk may read pixels: |B − A|, or (B − A) / 2 + ½, then spread to the scale. */
  function difference(slots, i, options) {
    const a = slots[0], b = slots[i], name = distcari.slotNames[i], caption = [badge(name), "−", badge("a")];
    if (!a.file || !b.file) return figure([why("no difference", `${a.file ? name.toUpperCase() : "A"} has no picture.`)], caption);
    const by = 1 / options.scale, blend = options.kind === "signed" ? `contrast(${by})` : `brightness(${by})`;
    const text = `Difference of slot ${name.toUpperCase()} from slot A, ${options.kind}, scale ${options.scale}`;
    const both = h("div", { class: `blend ${options.kind}`, style: { filter: blend }, role: "img", "aria-label": text }, picture(b.file, ""), picture(a.file, "", "over"));
    return figure([h("div", { class: "world" }, both)], [...caption, h("span", { class: "side-said" }, summary(b))]);
  }

  function inputs(slots) { // over each other; that of the active slot is seen
    const groups = new Map();
    slots.forEach((slot, i) => {
      const file = distcari.inputOf([slot.experiment], slot.labels.get("image")) || `none ${i}`;
      groups.set(file, [...(groups.get(file) || []), i]);
    });
    const worlds = [], caption = [];
    for (const members of groups.values()) {
      const names = members.map((i) => distcari.slotNames[i]), slot = slots[members[0]];
      const props = { "data-for": names.join(" "), hidden: members[0] > 0 };
      worlds.push(h("div", props, inputPicture(slot)));
      caption.push(h("span", { class: "side-said", ...props }, "input ", h("strong", {}, slot.labels.get("image")), groups.size > 1 ? ` of ${names.join(", ").toUpperCase()}` : ""));
    }
    return figure(worlds, caption, { "data-input": true });
  }

  function stage(state, slots, options) {
    let panes = slots.map((_, i) => pane(state, slots, i)), width = slots.length + 1, rows = 1;
    if (options.mode === "swipe" || options.mode === "flicker") [panes, width] = [[pair(slots, options)], 2];
    const input = inputs(slots);
    if (options.mode === "difference") {
      const shown = slots.slice(1).map((_, i) => difference(slots, i + 1, options));
      [width, rows] = slots.length === 2 ? [4, 1] : [slots.length, 2]; // B − A lies under B, the input under A
      panes = rows === 1 ? [...panes, ...shown, input] : [...panes, input, ...shown];
    } else panes.push(input);
    return h("div", { class: `side-panes in-${options.mode} on-${options.background}`, style: { "--wide-cols": width, "--rows": rows } }, panes);
  }

  distcari.panes = { found, stage, badge, COLOURS };
})();
