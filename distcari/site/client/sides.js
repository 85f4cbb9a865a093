/* Side by side: two to four pictures under one zoom, beside or over each other, or what differs. */
(() => {
  const { h, link, choice, slots } = distcari;
  const MODES = { side: ["Side by side", "s"], swipe: ["Swipe", "w"], flicker: ["Flicker", "f"], difference: ["Difference", "d"] };
  const SCALES = [0.05, 0.1, 0.25, 0.5, 1], BACKGROUNDS = ["page", "grey", "black", "white"];
  const ORDER = ["model", "layer", "image", "", "seed", "experiment"]; // further axes stand where the gap is
  let counted = 0;

  function optionsOf(state, count) {
    const one = (name, known, usual) => (known.includes(distcari.own(state, name)) ? distcari.own(state, name) : usual);
    const sides = [...distcari.slotNames.slice(0, count), "input"];
    return {
      mode: one("mode", Object.keys(MODES), "side"), kind: one("kind", ["absolute", "signed"], "absolute"),
      scale: Number(one("scale", SCALES.map(String), "0.5")), background: one("background", BACKGROUNDS, "page"),
      left: one("left", sides, "a"), right: one("right", sides, "b"), linked: distcari.own(state, "link") === "1",
    };
  }

  async function draw(state, page) {
    const turn = ++counted, filled = await slots.filled(state), there = await distcari.panes.found(filled);
    if (turn !== counted) return;
    const options = optionsOf(state, filled.length), whole = { ...state, slots: filled };
    let side = page.querySelector("#side"); // kept while the view stays: zoom and the active slot are its own
    if (!side) {
      side = h("div", { class: "side", id: "side" }, h("h1", { class: "unseen" }, "Side by side"), ["cards", "notices", "bar", "line", "stage"].map((name) => h("div", { class: `side-${name}`, id: `side-${name}` })));
      page.replaceChildren(side);
      side.querySelector("#side-bar").append(h("div", { class: "side-choices", id: "side-choices" }), zooms());
    }
    side.querySelector("#side-cards").replaceChildren(...filled.map((_, i) => card(whole, filled, options, i)), actions(whole, filled, options));
    side.querySelector("#side-notices").replaceChildren(...[distcari.notices([...new Set(filled.map((slot) => slot.get("experiment")))])].filter(Boolean));
    side.querySelector("#side-choices").replaceChildren(...tools(whole, options, filled.length));
    side.querySelector("#side-line").replaceChildren(...said(options));
    side.querySelector("#side-stage").replaceChildren(distcari.panes.stage(state, there, options));
    window.dash_clientside.side.ready();
  }

  function card(state, all, options, i) {
    const name = distcari.slotNames[i], labels = all[i], rank = (axis) => (ORDER.includes(axis) ? ORDER.indexOf(axis) : 3);
    const axes = [...labels.keys()].sort((a, b) => rank(a) - rank(b));
    const offers = (axis) => { const known = slots.choices(labels, axis); return known.length !== 1 || known[0] !== labels.get(axis); };
    const shut = axes.filter((axis) => !offers(axis)).map((axis) => h("span", {}, h("i", {}, axis), ` ${labels.get(axis)}`));
    const without = { ...state, slots: all.filter((_, j) => j !== i) }, upper = name.toUpperCase();
    return h("section", { class: "slot-card", "data-slot": name, "aria-label": `Slot ${upper}`, style: { "--slot": distcari.panes.COLOURS[name] } },
      h("div", { class: "slot-top" },
        h("button", { class: "slot-pick", title: `Keys act on slot ${upper} (${i + 1})`, "aria-label": `Slot ${upper}: its keys are the arrows`, "aria-pressed": "false" }, distcari.panes.badge(name)),
        h("span", { class: "side-shut" }, shut),
        all.length > 2 && link("✕", without, { class: "step", title: "Remove this slot", "aria-label": `Remove slot ${upper}` })),
      h("div", { class: "side-selectors" }, axes.filter(offers).map((axis) => selector(state, all, options, i, axis))));
  }

  function selector(state, all, options, i, axis) {
    const label = all[i].get(axis), known = [...new Set([...slots.choices(all[i], axis), label])], name = distcari.slotNames[i].toUpperCase();
    const change = (value) => distcari.go(distcari.search({ ...state, slots: slots.choose(all, options.linked, i, axis, value) }));
    const select = choice(`${distcari.slotNames[i]}.${axis}`, axis, known.map((text) => [text, text]), label, { change, label: `${axis} of slot ${name}` });
    const steps = [-1, 1].map((step, at) => {
      const to = slots.stepped(all, options.linked, i, axis, step);
      const key = distcari.keysOf(axis)[at]; // while the slot is the active one (assets/side.js)
      return distcari.stepper(axis, step, to && { ...state, slots: to }, null, { "data-step": key, "aria-label": `${step < 0 ? "Previous" : "Next"} ${axis} of slot ${name}` });
    });
    return h("div", { class: "side-at" }, select, steps);
  }

  function actions(state, all, options) {
    const more = all.length < 4 && link(`+ Slot ${distcari.slotNames[all.length].toUpperCase()}`, { ...state, slots: [...all, slots.beside(all)] }, { class: "side-action" });
    const swap = link(["⇄ Swap A, B", h("kbd", {}, "x")], { ...state, slots: [all[1], all[0], ...all.slice(2)] }, { class: "side-action", title: "Swap A and B", "data-key": "x" });
    const together = link(["Move together", h("kbd", {}, "g")], distcari.withOwn(state, { link: options.linked ? "" : "1" }), { class: "side-action", role: "switch", title: "A choice in one slot is made in all", "aria-checked": String(options.linked), "data-key": "g" });
    return h("div", { class: "side-actions" }, more, swap, together);
  }

  function tools(state, options, count) {
    const modes = Object.entries(MODES).map(([mode, [text, key]]) => link(text, distcari.withOwn(state, { mode: mode === "side" ? "" : mode }),
      { class: "side-mode", title: `${text} (${key})`, "data-key": key, "aria-current": mode === options.mode ? "true" : null }));
    const sides = [...distcari.slotNames.slice(0, count), "input"].map((name) => [name, name === "input" ? name : name.toUpperCase()]);
    const names = options.mode === "swipe" ? ["left", "right"] : ["first", "second"];
    const of = options.mode === "swipe" || options.mode === "flicker" ? ["left", "right"].map((side, i) => choice(`side.${side}`, names[i], sides, options[side]))
      : options.mode === "difference" ? [choice("side.kind", "difference from A", [["absolute", "absolute"], ["signed", "signed"]], options.kind),
        choice("side.scale", "scale, for all", SCALES.map((step) => [String(step), options.kind === "signed" ? `−${step} – ${step}` : `0 – ${step}`]), String(options.scale))] : [];
    return [h("nav", { class: "side-modes", "aria-label": "How to compare" }, modes), ...of,
      choice("side.background", "background", BACKGROUNDS.map((name) => [name, name]), options.background)];
  }

  function zooms() {
    const steps = [["−", "Zoom out", "out", "-"], ["+", "Zoom in", "in", "+ ="], ["Fit", "Fit", "fit", "0"], ["1:1", "1:1, a picture pixel on one of the screen", "one", "9"]];
    const made = steps.map(([sign, word, what, key]) => h("button", { class: "plain-button", title: `${word} (${key[0]})`, "aria-label": word, "data-zoom": what, "data-key": key }, sign));
    made.splice(1, 0, h("output", { id: "side-percent", title: "Screen pixels for each picture pixel; sharp above 100 %" }));
    return h("div", { class: "fixed-tools" }, h("div", { class: "side-zooms", role: "group", "aria-label": "Zoom of all pictures" }, made),
      h("button", { id: "side-hold", class: "plain-button" }, "Hold to flicker", h("kbd", {}, "Space")));
  }

  function said(options) { // how pictures and differences are shown
    const exact = distcari.site.exact, text = `Pictures as ${distcari.site.pictures}, not normalised.`;
    if (options.mode !== "difference") return [h("span", { class: "shown-how" }, text)];
    const signed = options.kind === "signed", low = signed ? `−${options.scale}` : "0", middle = signed ? "0" : String(options.scale / 2);
    const bar = h("div", { class: "side-scale", style: { background: `linear-gradient(to right, #000, ${signed ? "#808080, " : ""}#fff)` } });
    const legend = h("div", { class: "side-legend", role: "img", "aria-label": `Grey scale of each channel: ${low} to ${options.scale}; 1 = full range` },
      h("div", {}, bar, h("div", { class: "side-ticks" }, [low, middle, String(options.scale)].map((tick) => h("span", {}, tick)))), h("span", {}, "R, G, B; 1 = full range"));
    const rough = exact ? "" : " The encoding alone differs from the stored pixels by about 0.01 on average: read no more into what is fainter.";
    return [h("div", { class: "shown-how" }, legend, h("span", {}, `Same scale for all; blended by the browser, without ΔE2000 and numbers, which the dashboard has. ${text}${rough}`))];
  }

  distcari.views.side = { title: "Side by side", draw };
})();
