/* Compare: a grid of pictures, any axis on rows, any on columns, the others held; the input at the margin. */
(() => {
  const { h, link, choice, title, number } = distcari;
  const HOVER = ["gain", "cosine", "gain_in_b", "cosine_in_b", "robust_gain", "robust_cosine", "colour_uniformity", "colourfulness", "spectral_slope"];
  const scrolled = new Map(); // where the grid was, by address
  let drawn = "", facets = null, counted = 0;

  const token = (state) => distcari.search({ ...state, slots: [], cell: "" });

  async function draw(state, page) {
    const mine = token(state);
    if (mine === drawn && page.querySelector(".compare")) return window.dash_clientside.pick.mark();
    const turn = ++counted, shown = distcari.resolve(state), experiments = shown.scope.map(distcari.experiment);
    await Promise.all(experiments.map((one) => one.reasons()));
    const plane = await planeOf(state, shown);
    if (turn !== counted) return;
    facets?.end();
    drawn = mine;
    const grid = gridOf(state, shown, plane);
    facets = new distcari.Facets(grid);
    facets.stage.addEventListener("scroll", () => scrolled.set(mine, [facets.stage.scrollLeft, facets.stage.scrollTop]), { passive: true });
    facets.stage.addEventListener("pointerover", () => hovered(shown, facets), { once: true });
    facets.stage.addEventListener("focusin", () => hovered(shown, facets), { once: true });
    page.replaceChildren(h("div", { class: "compare" },
      h("h1", { class: "unseen" }, "Compare"),
      h("div", { class: "tools", id: "compare-tools" }, tools(state, shown, plane)),
      distcari.notices(shown.scope),
      h("div", { id: "compare-body" }, facets.stage),
      h("div", { id: "picks", class: "picks", hidden: true })));
    facets.begin(scrolled.get(mine));
    window.dash_clientside.pick.mark();
  }

  /* The labels of the grid in order, with the slot at each place and the figures that sort or stand below it. */
  async function planeOf(state, shown) {
    const { scope, rows, cols, at } = shown;
    const family = distcari.family(scope, distcari.own(state, "by"), distcari.own(state, "only"));
    const of = (axis) => (axis === "model" ? family.models : distcari.labels(scope, axis));
    const plane = { rows: [...of(rows)], cols: [...of(cols)], groups: family.groups, values: new Map(), means: {} };
    plane.slot = (row, col) => distcari.slot(scope, new Map([...at, [rows, row], [cols, col]]));
    const known = (sort) => (sort && distcari.site.figures.includes(sort[0]) ? sort : null);
    const sorts = { rows: known(state.sort_rows), cols: known(state.sort_cols) };
    plane.figure = distcari.site.figures.includes(distcari.own(state, "label")) ? distcari.own(state, "label") : "";
    for (const figure of new Set([sorts.rows?.[0], sorts.cols?.[0], plane.figure].filter(Boolean))) await withValues(plane, scope, figure);
    for (const which of ["rows", "cols"]) {
      if (!sorts[which]) continue;
      const other = which === "rows" ? "cols" : "rows", [figure, descending] = sorts[which];
      const means = new Map(plane[which].map((label) => [label, mean(plane, figure, which, label, plane[other])]));
      const rank = (label) => (Number.isNaN(means.get(label)) ? Infinity : descending ? -means.get(label) : means.get(label));
      plane[which] = stable(plane[which], rank);
      plane.means[which] = [figure, means];
    }
    if (family.groups.size) {
      const order = new Map([...new Set(family.groups.values())].map((value, i) => [value, i]));
      for (const [which, axis] of [["rows", rows], ["cols", cols]]) if (axis === "model") plane[which] = stable(plane[which], (label) => order.get(family.groups.get(label)));
    }
    return plane;
  }

  const stable = (labels, rank) => labels.map((label) => [label, rank(label)]).sort((a, b) => (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0)).map(([label]) => label);

  async function withValues(plane, scope, figure) {
    const columns = new Map(await Promise.all(scope.map(async (name) => [name, await distcari.experiment(name).column(figure)])));
    plane.values.set(figure, (slot) => (slot.status === "done" ? columns.get(slot.experiment)?.[slot.place] ?? NaN : NaN));
  }

  function mean(plane, figure, which, label, others) { // over the cells that have the figure; NaN without any
    let sum = 0, n = 0;
    for (const other of others) {
      const value = plane.values.get(figure)(which === "rows" ? plane.slot(label, other) : plane.slot(other, label));
      if (!Number.isNaN(value)) { sum += value; n++; }
    }
    return n ? sum / n : NaN;
  }

  function gridOf(state, shown, plane) {
    const compact = distcari.own(state, "tiles") === "small", { rows, cols, scope } = shown;
    const names = { rows: compact ? distcari.unlike(plane.rows) : plane.rows, cols: compact ? distcari.unlike(plane.cols) : plane.cols };
    const longest = Math.max(0, ...names.rows.map((name) => name.length)) + (compact && plane.means.rows ? 12 : 0) + (compact && plane.groups.size ? 6 : 0);
    const figures = new Map();
    const grid = {
      name: `${rows} by ${cols}`, rows: plane.rows, cols: plane.cols, compact, figure: plane.figure, figures,
      head: compact ? Math.min(280, Math.max(64, 8 * longest + 16)) : Math.min(168, Math.max(48, 9 * longest + 6)),
      lines: 1 + (compact ? 1 : 0) + (plane.means.cols ? 1 : 0) + (cols === "model" && plane.groups.size ? 1 : 0),
      margin: marginOf(shown), images: rows === "image" ? "rows" : cols === "image" ? "cols" : "",
      corner: h("div", { role: "columnheader", class: "corner" }, h("span", {}, `${rows} ↓`), h("span", {}, `${cols} →`)),
      rowHead: (i) => heading(shown, plane, "rows", i, names.rows[i]),
      colHead: (j) => heading(shown, plane, "cols", j, names.cols[j]),
      tile: (i, j) => tileOf(state, plane.slot(plane.rows[i], plane.cols[j]), plane, figures),
      seen: async ([top, bottom], [left, right]) => { // load what is seen, then show it
        const wanted = new Map(scope.map((name) => [name, []]));
        for (let i = top; i < bottom; i++) {
          for (let j = left; j < right; j++) {
            const slot = plane.slot(plane.rows[i], plane.cols[j]), one = distcari.experiment(slot.experiment);
            if (slot.status === "done" && !one.has(slot.place)) wanted.get(slot.experiment).push(slot.place);
          }
        }
        const missing = [...wanted].filter(([, places]) => places.length);
        if (!missing.length) return;
        await Promise.all(missing.map(([name, places]) => distcari.experiment(name).need(places)));
        if (facets?.grid === grid) { facets.renew(); window.dash_clientside.pick.mark(); }
      },
    };
    return grid;
  }

  const word = (status) => (status === "pending" ? "not done" : status); // nothing is at work on a site

  /* The attributes of a tile; assets/tile.js draws what is inside. */
  function tileOf(state, slot, plane, figures) {
    const at = JSON.stringify({ experiment: slot.experiment, ...Object.fromEntries(slot.labels) });
    if (slot.status !== "done") return { class: `tile empty ${slot.status.replace(" ", "-")}`, "data-at": at, "data-status": word(slot.status), "data-reason": slot.reason };
    const one = distcari.experiment(slot.experiment);
    if (!one.has(slot.place)) return { class: "tile waits" };
    const large = facetTile() * devicePixelRatio > 1.25 * distcari.site.sizes.small;
    const read = HOVER.filter((name) => figures.has(name)).map((name) => [name, figures.get(name)(slot)]).filter(([name, value]) => !name.endsWith("_in_b") || !Number.isNaN(value));
    return {
      class: "tile done pickable", "data-at": at, "data-alt": distcari.alt(slot.labels),
      "data-src": distcari.pictureFile(one.picture(slot.place), large ? "large" : "small"),
      "data-href": distcari.search({ ...distcari.parse(""), view: "cell", experiments: state.experiments, cell: one.key(slot.place) }),
      "data-figures": read.map(([name, value]) => `${title(name)}=${number(value)}`).join("|"),
      ...(plane.figure ? { "data-label": number(plane.values.get(plane.figure)(slot)) } : {}),
    };
  }
  const facetTile = () => facets?.tile || 0;

  async function hovered(shown, of) { // the figures beside the pointer are loaded when somebody points
    const plane = { values: of.grid.figures };
    await Promise.all(HOVER.filter((name) => distcari.site.figures.includes(name)).map((name) => withValues(plane, shown.scope, name)));
    if (of === facets) of.renew();
  }

  function inputOf(scope, image) {
    const one = scope.map(distcari.experiment).find((e) => Object.hasOwn(e.inputs, image));
    return one && distcari.pictureFile(one.inputs[image], "large");
  }

  function marginOf({ scope, at }) {
    const image = at.get("image"), file = image !== undefined && inputOf(scope, image);
    return file ? h("figure", { class: "margin" }, h("img", { src: file, alt: `Input image ${image}` }), h("figcaption", {}, "input ", h("b", {}, image))) : null;
  }

  /* A row's or column's heading: its label, its input image where the axis is image, its mean where sorted, its group. */
  function heading(shown, plane, which, i, short) {
    const axis = shown[which], label = plane[which][i], made = [], file = axis === "image" && inputOf(shown.scope, label);
    if (file) made.push(h("img", { src: file, alt: `Input image ${label}` }));
    made.push(h("span", { class: "label", title: label }, distcari.breakable(short === label ? label : `…${short}`)));
    if (plane.means[which]) made.push(h("span", { class: "mean" }, `${title(plane.means[which][0])} ${number(plane.means[which][1].get(label))}`));
    const group = axis === "model" ? plane.groups.get(label) : undefined;
    if (group !== undefined) made.push(h("span", { class: "group", title: `${label}: ${group}` }, group));
    const begins = group !== undefined && i > 0 && plane.groups.get(plane[which][i - 1]) !== group;
    const [role, kind] = which === "rows" ? ["rowheader", "head of-row"] : ["columnheader", "head of-col"];
    return h("div", { role, class: kind + (begins ? " group-start" : ""), "aria-label": short === label ? null : label }, made);
  }

  function counts(plane) {
    const found = { done: 0, failed: 0, pending: 0, "not planned": 0 };
    for (const row of plane.rows) for (const col of plane.cols) found[plane.slot(row, col).status]++;
    return Object.entries(found).filter(([, n]) => n).map(([status, n]) => `${n.toLocaleString("en-US")} ${word(status)}`);
  }

  /* One line of controls, each a parameter of the URL, and how much of the grid is there. */
  function tools(state, shown, plane) {
    const axes = shown.axes.map((axis) => [axis, axis]), figures = distcari.site.figures;
    const orders = figures.flatMap((f) => [[`-${f}`, `${title(f)} ↓`], [f, `${title(f)} ↑`]]);
    const order = (by) => (by ? (by[1] ? "-" : "") + by[0] : "");
    const alone = [...shown.at.keys()].filter((axis) => labelsOf(state, shown, axis).length < 2);
    const swap = { ...state, rows: shown.cols, cols: shown.rows, sort_rows: state.sort_cols, sort_cols: state.sort_rows, extra: new Map() };
    const tags = [...distcari.tags(shown.scope).keys()], grouped = tags.length > 0 && [shown.rows, shown.cols].includes("model");
    return [
      choice("rows", "rows", axes, shown.rows),
      link("⇄", swap, { class: "step", title: "Swap rows and columns", "aria-label": "Swap rows and columns" }),
      choice("cols", "columns", axes, shown.cols),
      [...shown.at].filter(([axis]) => !alone.includes(axis)).map(([axis, label]) =>
        distcari.walk(axis, labelsOf(state, shown, axis), label, (next) => ({ ...state, at: new Map([...state.at, [axis, next]]) }))),
      choice("sort_rows", "sort rows", orders, order(state.sort_rows), { none: "as stored" }),
      choice("sort_cols", "sort columns", orders, order(state.sort_cols), { none: "as stored" }),
      grouped && choice("compare.by", "group by", tags.map((tag) => [tag, tag]), distcari.own(state, "by"), { none: "no tag" }),
      grouped && choice("compare.only", "only", distcari.filters(shown.scope).map((f) => [f, f]), distcari.own(state, "only"), { none: "every model" }),
      choice("compare.label", "show", figures.filter((f) => !["steps", "seconds"].includes(f)).map((f) => [f, title(f)]), distcari.own(state, "label"), { none: "pictures only" }),
      choice("compare.tiles", "tiles", [["small", "small"]], distcari.own(state, "tiles"), { none: "large" }),
      h("span", { class: "counts", "aria-live": "polite" }, [...alone.map((axis) => `${axis} ${shown.at.get(axis)}`), ...counts(plane)].join(" · ")),
    ];
  }
  const labelsOf = (state, shown, axis) => distcari.labels(axis === "experiment" ? distcari.chosen(state) : shown.scope, axis);

  distcari.inputOf = inputOf;
  distcari.views.compare = { title: "Compare", draw };
})();
