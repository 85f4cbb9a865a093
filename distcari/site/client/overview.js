/* Overview: what this is, in its author's words; each experiment in short; a few of its pictures. */
(() => {
  const { h, link, count } = distcari, MOST = 12;

  /* What a reader must know of these experiments: what failed, that a run was at work. Null if there is nothing. */
  distcari.notices = (names) => {
    const said = names.flatMap((name) => {
      const one = distcari.experiment(name), of = names.length > 1 ? `${name}: ` : "";
      return [one?.run && `${of}A run was at work when this was published: ${one.run}.`, one?.failed && `${of}${count(one.failed, "cell")} failed and ${one.failed === 1 ? "has" : "have"} no picture; the tile says why.`];
    }).filter(Boolean);
    return said.length ? h("div", { class: "notices", role: "note" }, said.map((text) => h("p", {}, text))) : null;
  };

  async function draw(state, page) {
    const told = document.getElementById("about").content.cloneNode(true), names = Object.keys(distcari.site.experiments);
    const parts = await Promise.all(names.map((name) => experiment(name)));
    const dated = document.documentElement.dataset;
    page.replaceChildren(h("div", { class: "overview" },
      !told.querySelector("h1") && h("h1", {}, document.title),
      told.textContent.trim() && h("article", { class: "about" }, told),
      parts,
      h("p", { class: "quiet small" }, `Published ${dated.published} with distcari ${dated.version}. A caricature pushes a layer of a network as far as it goes in the direction in which the input image pushes it.`)));
  }

  async function experiment(name) {
    const one = distcari.experiment(name), here = { ...distcari.parse(""), view: "compare", experiments: [name] }, places = [];
    for (let place = 0, step = Math.max(1, Math.floor(one.size / MOST)); place < one.size && places.length < MOST; place++) {
      if (one.isDone(place) && (!places.length || place - places.at(-1) >= step)) places.push(place);
    }
    await one.need(places);
    const shape = one.axes.map((axis) => count(one.labels[axis].length, axis)).join(" × "), tags = Object.keys(one.tags);
    const facts = [`${count(one.cells, "cell")} done`, one.failed && `${one.failed.toLocaleString("en-US")} failed`, one.newest && `newest ${one.newest}`, tags.length && `tags ${tags.join(", ")}`, one.adopted && "pictures of another program, taken over"];
    const tile = (place) => h("a", { href: distcari.search({ ...here, view: "cell", cell: one.key(place) }), "data-go": true }, h("img", { src: distcari.pictureFile(one.picture(place), "small"), alt: distcari.alt(one.at(place)), loading: "lazy" }));
    return h("section", { class: "experiment" }, h("h2", {}, name), one.description && h("p", {}, one.description),
      h("p", { class: "facts" }, link(shape, here), ` · ${facts.filter(Boolean).join(" · ")}`),
      distcari.notices([name]), h("div", { class: "samples" }, places.map(tile)), h("p", {}, link("Compare all of them →", here)), await distcari.likeness(one));
  }

  distcari.views.overview = { title: "Overview", draw };
})();
