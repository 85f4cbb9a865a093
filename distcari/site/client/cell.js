/* Cell: one picture, large, with everything that is known of it. */
(() => {
  const { h, title, number } = distcari;
  const TITLES = [["Strength", ["match", "difference"]], ["Held against grey and other photographs", ["yardstick"]], ["Colour and texture", ["colour", "texture"]]];
  let counted = 0;

  /* What the index says of a place: `numbers` and `texts` by column. */
  distcari.rowOf = async (one, place) => {
    const size = distcari.site.sizes.rows, value = await distcari.load(one.rows[Math.floor(place / size)]);
    const i = value.at.indexOf(place % size), found = { numbers: new Map(), texts: new Map() };
    for (const [name, packed] of Object.entries(value.numbers)) found.numbers.set(name, distcari.floats(packed)[i]);
    for (const [name, [texts, codes]] of Object.entries(value.texts)) found.texts.set(name, texts[codes[i]]);
    return found;
  };

  async function draw(state, page) {
    const turn = ++counted, where = await find(state);
    if (!where) {
      if (turn === counted) page.replaceChildren(h("p", { class: "quiet" }, "No finished cell of this site has this key. Pictures in Compare lead here."));
      return;
    }
    const [one, place] = where, at = one.at(place);
    const [row, natural, walks] = await Promise.all([distcari.rowOf(one, place), exemplarsOf(one, place), Promise.all(one.axes.map((axis) => walk(state, one, at, axis))), one.need([place])]);
    if (turn !== counted) return;
    const swept = [...at].filter(([axis]) => !["model", "image", "layer", "seed"].includes(axis)).flatMap(([axis, label]) => [`, ${axis} `, h("b", {}, label)]);
    page.replaceChildren(h("div", { class: "cell" },
      h("div", { class: "cell-head" }, h("div", { class: "tools" }, walks),
        h("h1", {}, h("b", {}, at.get("model")), " at ", h("b", {}, at.get("layer")), " seeing ", h("b", {}, at.get("image")), swept)),
      distcari.notices([one.name]),
      h("div", { class: "cell-columns" }, pictures(one, place, at, state, natural), facts(one, place, row))));
  }

  async function find(state) { // the URL's cell; without one, the first that there is
    if (state.cell) {
      for (const name of Object.keys(distcari.site.experiments)) {
        const one = distcari.experiment(name), place = await one.find(state.cell);
        if (place >= 0) return [one, place];
      }
      return null;
    }
    const one = distcari.experiment(distcari.chosen(state)[0]);
    for (let place = 0; place < one.size; place++) if (one.isDone(place)) return [one, place];
    return null;
  }

  /* An axis: the label here and links to its neighbours, done cells only. */
  async function walk(state, one, at, axis) {
    const labels = one.labels[axis], here = one.index[axis].get(at.get(axis));
    const placeAt = (i) => one.place(new Map([...at, [axis, labels[i]]]));
    const next = (step) => { for (let i = here + step; i >= 0 && i < labels.length; i += step) if (one.isDone(placeAt(i))) return placeAt(i); return -1; };
    const places = [next(-1), next(1)], [back, forth] = distcari.keysOf(axis);
    await one.need(places);
    const to = (place) => place >= 0 && { ...state, cell: one.key(place) };
    return h("div", { class: "walk" }, distcari.stepper(axis, -1, to(places[0]), back),
      h("span", { class: "walk-label", title: `${here + 1} of ${labels.length}` }, h("small", {}, axis), at.get(axis)), distcari.stepper(axis, 1, to(places[1]), forth));
  }

  /* What was published of the cell's natural exemplars: `said`, `shown`; nothing where none were looked for. */
  async function exemplarsOf(one, place) {
    const size = distcari.site.sizes.rows, script = one.exemplars[Math.floor(place / size)];
    if (!script) return null;
    const value = await distcari.load(script), i = value.at.indexOf(place % size);
    return i < 0 ? null : value.sets[value.of[i]];
  }

  function exemplars({ said, shown }) {
    const each = shown.map((of, i) => h("figure", { title: of.square }, h("img", { src: of.picture, alt: `Exemplar ${i + 1}: ${of.file}` }), h("figcaption", {}, number(of.cosine))));
    return h("section", { class: "exemplars" }, h("h2", {}, "Natural exemplars"),
      h("div", { class: "exemplar-row", tabindex: 0, role: "group", "aria-label": "Natural exemplars" }, each), h("p", { class: "quiet" }, said));
  }

  function pictures(one, place, at, state, natural) {
    const file = distcari.pictureFile(one.picture(place), "large"), input = distcari.inputOf([one.name], at.get("image"));
    const slot = new Map([["experiment", one.name], ...at]), image = at.get("image");
    return h("div", { class: "cell-pictures" },
      h("figure", { class: "large" }, h("img", { src: file, alt: distcari.alt(at), class: "pixelated" })),
      h("div", { class: "beside" }, input && h("figure", {}, h("img", { src: input, alt: `Input image ${image}` }), h("figcaption", {}, "input ", h("b", {}, image)))),
      h("div", { class: "downloads" },
        h("a", { href: file, download: `${[...at.values()].join("_").replace(/[^\p{L}\p{N}._-]/gu, "-")}.webp`, class: "button" }, "WebP"),
        distcari.link("Side by side", { ...distcari.parse(""), view: "side", experiments: state.experiments, slots: [slot] }, { class: "button" })),
      natural && exemplars(natural));
  }

  function facts(one, place, row) {
    const tables = TITLES.map(([name, groups]) => figures(name, groups, row)).filter(Boolean);
    const remarks = row.texts.get("remarks");
    return h("div", { class: "cell-facts" },
      h("div", { class: "cell-figures" }, remarks && h("p", { class: "remark" }, remarks), tables),
      h("section", {}, h("h2", {}, "Where it comes from"), provenance(one, place, row)));
  }

  const columnsOf = (groups) => Object.entries(distcari.site.columns).filter(([, column]) => groups.includes(column[2])).map(([name]) => name);

  function figures(name, groups, row) {
    const known = columnsOf(groups).filter((column) => Number.isFinite(row.numbers.get(column)));
    const lines = known.map((column) => h("tr", { title: distcari.meaning(column) }, h("th", { scope: "row" }, title(column)), h("td", {}, shown(column, row)), h("td", {}, distcari.unit(column))));
    return lines.length ? h("section", {}, h("h2", {}, name), h("table", { class: "figures" }, h("tbody", {}, lines))) : null;
  }

  function shown(column, row) {
    const value = row.numbers.get(column);
    return distcari.site.columns[column][3] === "whole" && Number.isFinite(value) ? value.toLocaleString("en-US") : number(value);
  }

  function provenance(one, place, row) {
    const lines = [["key", one.key(place)], ["experiment", one.name]];
    for (const column of columnsOf(["provenance", "settings", "layer"])) {
      if (row.texts.get(column)) lines.push([column, row.texts.get(column)]);
      else if (Number.isFinite(row.numbers.get(column))) lines.push([column, shown(column, row)]);
    }
    return h("div", {},
      h("table", { class: "figures provenance" }, h("tbody", {}, lines.map(([column, value]) => h("tr", { title: distcari.meaning(column) }, h("th", { scope: "row" }, title(column)), h("td", {}, value))))),
      one.config.trim() !== "{}" && h("details", {}, h("summary", {}, "The experiment's config"), h("pre", { tabindex: 0 }, h("code", {}, one.config))));
  }

  distcari.views.cell = { title: "Cell", draw };
})();
