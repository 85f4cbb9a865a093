/* Explore: any figure over any other, by model, layer, any axis or tag; what is picked shows its pictures beside. */
(() => {
  const { h, link, choice, title, number } = distcari, { spread } = distcari.groups;
  const KINDS = [["violin", "violins"], ["scatter", "scatter"]], MOST_Y = 3, MOST = 48, UNPICKED = 18, MOST_LINES = 40, KEY = 12;
  const OWN = ["kind", "x", "y", "by"], PICKED = ["sel", "of", "group", "group_by", "fig", "pair", "pair_b"];
  const ASKED = {
    colour: ["Colour uniformity by model", "How even are the colours of each model's pictures? Each point is a cell; 1 is one single colour.", { kind: "violin", x: "model", y: "colour_uniformity" }],
    cosine: ["Cosine by layer depth", "How much of the input's direction do the pictures keep, by the layer's place in its network?", { kind: "violin", x: "layer_depth", y: "cosine" }],
    texture: ["Texture by model", "How fine (share of power above 0.25 cycles/pixel), how undirected (entropy of orientation) and how smooth (spectral slope) are the pictures of each model?", { kind: "violin", x: "model", y: "high_frequency_share,orientation_entropy,spectral_slope" }],
    depth: ["Gain against cosine", "Do strong pictures also point the right way? Each point is a cell, coloured by its model.", { kind: "scatter", x: "cosine", y: "gain", by: "model" }],
  };
  const HINT = { violin: "Click a violin or a line of the table to see its pictures.", scatter: "Draw a box around points, or click one, to see their pictures." };
  let counted = 0, drawn = "", plots = [], known = null;

  /* A state with its defaults filled in: colour uniformity by model, unless it says otherwise. */
  function resolve(state) {
    const names = distcari.chosen(state), { figures } = distcari.site, own = (name) => distcari.own(state, name);
    const texts = [...distcari.axes(names), ...distcari.tags(names).keys()], asked = own("kind") || "violin", kind = asked === "scatter" ? "scatter" : "violin";
    const one = (given, all, usual) => (all.includes(given) ? given : all.includes(usual) ? usual : usual ? all[0] : "");
    const x = one(own("x"), [...texts, ...figures], kind === "scatter" ? "cosine" : "model");
    let y = [...new Set(own("y").split(",").filter((name) => figures.includes(name)))].slice(0, MOST_Y);
    if (!y.length) y = ["colour_uniformity", "gain", ...figures].filter((name) => figures.includes(name)).slice(0, 1);
    const by = one(own("by"), texts, ""), held = new Map(distcari.axes(names).filter((axis) => axis !== "experiment")
      .map((axis) => [axis, own(`in_${axis}`)]).filter(([axis, label]) => label && distcari.labels(names, axis).includes(label)));
    const now = { kind, x, y: y.join(","), by };
    const question = Object.keys(ASKED).find((name) => OWN.every((part) => now[part] === (ASKED[name][2][part] || ""))) || "";
    return { names, texts, figures, kind, x, y, by, held, question, elsewhere: ["heat", "matrix"].includes(asked) };
  }

  const unpicked = (state) => distcari.withOwn(state, Object.fromEntries(PICKED.map((name) => [name, ""])));

  async function draw(state, page) {
    const turn = ++counted, shown = resolve(state), bare = distcari.search(unpicked({ ...state, slots: [], cell: "", at: new Map() }));
    const same = bare === drawn && page.querySelector(".explore");
    const data = same ? known : await gather(shown);
    if (turn !== counted) return;
    if (!same) {
      plots.forEach((plot) => plot.end());
      [drawn, known, plots] = [bare, data, shown.y.map((column, i) => plotOf(shown, data, column, i))];
      page.replaceChildren(h("div", { class: "explore" }, h("h1", { class: "unseen" }, "Explore"),
        h("nav", { class: "asked", "aria-label": "Questions" }, Object.keys(ASKED).map((name) => chip(state, name, shown.question))),
        h("div", { class: "tools" }, tools(state, shown)), distcari.notices(shown.names),
        h("p", { class: "said", "aria-live": "polite" }, said(shown, data)),
        h("div", { class: "explore-columns" },
          h("div", { class: "left" }, h("div", { class: "explore-plots" }, plots.map((plot) => plot.box)), h("div", { id: "explore-table" })),
          h("aside", { class: "strip", id: "explore-strip", "aria-label": "Pictures of what is selected" })),
        h("div", { id: "picks", class: "picks", hidden: true })));
    }
    page.querySelector("#explore-table").replaceChildren(...[table(state, shown, data)].filter(Boolean));
    const beside = await strip(state, shown, data);
    if (turn !== counted) return;
    page.querySelector("#explore-strip").replaceChildren(...beside);
    window.dash_clientside.pick.mark();
  }

  async function gather(shown) { // the cells, their groups, their figures
    const all = await distcari.groups.cells(shown.names, shown.held), number_ = shown.kind === "scatter" && !shown.texts.includes(shown.x);
    const [x, by, across, ...columns] = await Promise.all([number_ ? { labels: [], codes: new Int32Array(all.place.length) } : distcari.groups.group(all, shown.x),
      distcari.groups.group(all, shown.by), number_ ? distcari.groups.values(all, shown.x) : null, ...shown.y.map((name) => distcari.groups.values(all, name))]);
    return { all, x, by, across, columns: new Map(shown.y.map((name, i) => [name, columns[i]])) };
  }

  function plotOf(shown, { all, x, by, across, columns }, column) {
    const values = columns.get(column), now = () => unpicked(distcari.parse(location.search)), go = (state) => distcari.go(distcari.search(state));
    if (shown.kind === "violin") {
      return distcari.plots.violins(all, x, by, shown.x, column, values, (at) =>
        go(distcari.withOwn(now(), { group: x.labels[at.x], group_by: at.by === null ? "" : by.labels[at.by], fig: column })));
    }
    return distcari.plots.scatter(all, across ? null : x, across, by, shown.x, column, values, async (at) => {
      if (!at.length) return go(now());
      const some = spread(values, [...at], MOST);
      await needed(all, some);
      const keys = some.map((i) => distcari.experiment(all.names[all.of[i]]).key(all.place[i]).slice(0, KEY));
      go(distcari.withOwn(now(), { sel: keys.join("."), of: at.length > some.length ? String(at.length) : "", fig: column }));
    });
  }

  const needed = (all, at) => Promise.all(all.names.map((name, of) => distcari.experiment(name).need(at.filter((i) => all.of[i] === of && !all.failed[i]).map((i) => all.place[i]))));

  function chip(state, name, current) {
    const [text, message, wanted] = ASKED[name], clean = Object.fromEntries([...OWN, ...PICKED].map((part) => [part, ""]));
    return link(text, distcari.withOwn(state, { ...clean, ...wanted }), { class: "chip", title: message, "aria-current": name === current ? "true" : null });
  }

  function tools(state, shown) {
    const all = (names) => names.map((name) => [name, title(name)]), y = shown.y.join(",");
    const figures = [...(shown.y.length > 1 ? [[y, shown.y.map(title).join(", ")]] : []), ...all(shown.figures)];
    const axes = distcari.axes(shown.names).filter((axis) => axis !== "experiment" && distcari.labels(shown.names, axis).length > 1);
    return [choice("explore.kind", "plot", KINDS, shown.kind), choice("explore.y", "figure", figures, y), choice("explore.x", "over", all([...shown.texts, ...shown.figures]), shown.x),
      choice("explore.by", "colour", all(shown.texts.filter((name) => name !== shown.x)), shown.by, { none: "none" }), h("span", { class: "of" }, "of"),
      ...axes.map((axis) => choice(`explore.in_${axis}`, axis, distcari.labels(shown.names, axis).map((label) => [label, label]), shown.held.get(axis), { none: `every ${axis}` }))];
  }

  function said(shown, { all }) {
    const lost = all.failed.filter(Boolean).length, of = shown.held.size ? ` of ${[...shown.held].map(([axis, label]) => `${axis} ${label}`).join(", ")}` : "";
    return [shown.elsewhere && "Heat map and distances need the dashboard; this is the same figure as violins. ", shown.question && `${ASKED[shown.question][1]} `,
      `${distcari.count(all.place.length - lost, "finished cell")}${of}; ${lost ? `${lost.toLocaleString("en-US")} failed` : "none failed"}.`];
  }

  function table(state, shown, { all, x, by, columns }) { // of the groups, each a way to its pictures
    const groups = shown.kind === "violin" ? x : by, violin = shown.kind === "violin";
    if (groups.labels.length > MOST_LINES || (!violin && !shown.by)) return null;
    const lines = distcari.groups.members(groups).map((at, i) => {
      const found = shown.y.map((name) => distcari.groups.summary(all, columns.get(name), at)), label = groups.labels[i];
      return h("tr", {}, h("th", { scope: "row" }, violin ? link(label, distcari.withOwn(unpicked(state), { group: label }), { class: "go", title: "Show its pictures" }) : label),
        h("td", {}, found[0].n.toLocaleString("en-US")), h("td", {}, found[0].failed ? found[0].failed.toLocaleString("en-US") : "—"),
        found.map((s) => [h("td", {}, `${number(s.mean)} ± ${number(s.sd)}`), h("td", {}, number(s.median))]));
    });
    const heads = [title(violin ? shown.x : shown.by), "n", "failed", ...shown.y.flatMap((name) => [`${shown.y.length > 1 ? `${title(name)}: ` : ""}mean ± sd`, "median"])];
    return h("div", { class: "scroll" }, h("table", { class: "groups" }, h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, lines)));
  }

  /* Positions of the picked cells (null: nothing picked), how many there were, a name. */
  async function picked(state, { all, x, by }) {
    const own = (name) => distcari.own(state, name), every = [...all.place.keys()];
    if (own("sel")) {
      await needed(all, every);
      const wanted = new Set(own("sel").split(".").slice(0, MOST));
      const at = every.filter((i) => !all.failed[i] && wanted.has(distcari.experiment(all.names[all.of[i]]).key(all.place[i]).slice(0, KEY)));
      return { at, total: /^\d{1,8}$/.test(own("of")) ? Number(own("of")) : at.length, name: "Selected" };
    }
    const group = x.labels.indexOf(own("group")), over = by.labels.indexOf(own("group_by"));
    const at = group < 0 ? [] : every.filter((i) => x.codes[i] === group && (over < 0 || by.codes[i] === over));
    return at.length ? { at, total: 0, name: over >= 0 ? `${own("group")} · ${own("group_by")}` : own("group") } : { at: null };
  }

  async function strip(state, shown, data) { // the pictures of what is picked, lowest first
    const { all, columns } = data, figure = shown.y.includes(distcari.own(state, "fig")) ? distcari.own(state, "fig") : shown.y[0];
    const pick = await picked(state, data), nothing = pick.at === null;
    const within = nothing ? [...all.place.keys()] : pick.at, at = within.filter((i) => !all.failed[i]), lost = within.length - at.length, values = columns.get(figure);
    if (!at.length) return [h("p", { class: "quiet hint" }, "No finished cells here.")];
    const some = spread(values, [...at], nothing ? UNPICKED : MOST, true), total = Math.max(pick.total || 0, at.length), more = total > some.length;
    await needed(all, some);
    const message = `${some.length}${more ? ` of ${total.toLocaleString("en-US")}` : ""} picture${total === 1 ? "" : "s"}${more ? ", evenly" : ""}, lowest ${title(figure)} first${lost ? `; ${lost} failed` : ""}`;
    return [h("div", { class: "strip-head" }, h("div", {}, h("b", {}, nothing ? "All cells" : pick.name), h("span", {}, message)), !nothing && link("✕", unpicked(state), { class: "step", title: "All cells again", "aria-label": "All cells again" })),
      nothing && h("p", { class: "quiet small" }, HINT[shown.kind]), h("div", { class: "strip-tiles", role: "list" }, some.map((i) => tile(state, data, i, figure)))].filter(Boolean);
  }

  function tile(state, { all, columns }, i, figure) { // assets/tile.js draws what is inside
    const one = distcari.experiment(all.names[all.of[i]]), labels = one.at(all.place[i]), value = number(columns.get(figure)[i]);
    return h("div", { class: "tile done pickable", role: "listitem", "data-at": JSON.stringify({ experiment: one.name, ...Object.fromEntries(labels) }), "data-alt": distcari.alt(labels),
      "data-src": distcari.pictureFile(one.picture(all.place[i]), "small"), "data-label": value, "data-figures": `${title(figure)}=${value}`,
      "data-href": distcari.search({ ...distcari.parse(""), view: "cell", experiments: state.experiments, cell: one.key(all.place[i]) }) });
  }

  distcari.views.explore = { title: "Explore", draw };
})();
