/* The map of an experiment's models, the pairs farthest apart and the layers, as they were when this was published. */
(() => {
  const { h, link, number } = distcari, SIZE = 360;
  const COLOURS = ["#228be6", "#f76707", "#2b8a3e", "#ae3ec9", "#e03131", "#0c8599", "#f59f00", "#868e96"];

  function svg(tag, props, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(props)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  distcari.likeness = async (one) => {
    if (!one.likeness) return null;
    const found = await distcari.load(one.likeness), here = { ...distcari.parse(""), experiments: [one.name] };
    const times = (ratio) => (ratio === null ? "—" : `× ${ratio.toFixed(1)}`), share = (part) => (part === null ? "—" : `${Math.round(100 * part)} %${part >= 0.5 ? " — hardly responds" : ""}`);
    const pairs = found.pairs.map(([a, b, layer, there, ratio]) => {
      const slots = [a, b].map((model) => new Map([["experiment", one.name], ["model", model], ["layer", layer]]));
      return [link(`${a} ↔ ${b}`, { ...here, view: "side", slots }), layer, number(there), times(ratio)];
    });
    const layers = found.layers.map(([layer, between, noise, ratio, hardly]) =>
      [link(layer, { ...here, view: "compare", rows: "model", cols: "image", at: new Map([["layer", layer]]) }), number(between), number(noise), times(ratio), share(hardly)]);
    return h("div", { class: "likeness" },
      h("section", { "aria-label": "Which models see alike" }, h("h3", {}, "Which models see alike"), map(one, found, here)),
      h("div", {}, table("Which two models differ most, and where", ["models", "farthest at", "ΔE there", "against seeds"], pairs),
        table("Layers", ["layer", "ΔE between models", "between seeds", "ratio", "pictures it hardly responds to"], layers)),
      h("p", { class: "quiet small" }, `${found.said} A point leads to its model. Between seeds: two starts of one model, image and layer; a ratio near 1 says that models differ no more than that.`));
  };

  /* A point for each model, near what sees alike, coloured by the first tag; a name where there is room for it. */
  function map(one, found, here) {
    const span = Math.max(...[0, 1].map((k) => Math.max(...found.at.map((p) => p[k])) - Math.min(...found.at.map((p) => p[k])))) || 1;
    const spots = found.at.map(([x, y]) => [(x / span) * SIZE, (-y / span) * SIZE]), [tag, groups] = Object.entries(one.tags)[0] || ["", []];
    const ink = (value, i) => (value === "—" ? "#868e96" : COLOURS[i % COLOURS.length]);
    const of = new Map(groups.flatMap(([value, models], i) => models.map((model) => [model, [value, ink(value, i)]])));
    const names = distcari.unlike(found.models), taken = spots.map(([x, y]) => [x - 7, y - 7, x + 7, y + 7]);
    const points = found.models.map((model, i) => {
      const [x, y] = spots[i], [value, colour] = of.get(model) || ["", COLOURS[0]], name = room(names[i], x, y, taken);
      const to = distcari.search({ ...here, view: "compare", rows: "image", cols: "layer", at: new Map([["model", model]]) });
      const text = `${model}${tag ? `, ${tag} ${value}` : ""}`;
      return svg("a", { href: to, "data-go": "", "aria-label": text }, svg("title", {}, text), svg("circle", { cx: x, cy: y, r: 6, fill: colour }), ...name);
    });
    const legend = tag ? h("p", { class: "map-legend small" }, h("span", {}, tag), groups.map(([value], i) => h("span", {}, h("i", { style: { background: ink(value, i) } }), value))) : null;
    const [left, top] = [0, 1].map((k) => Math.min(...spots.map((p) => p[k]))), [right, bottom] = [0, 1].map((k) => Math.max(...spots.map((p) => p[k])));
    const high = Math.max(120, bottom - top + 52), box = [left - 50, (top + bottom - high) / 2, right - left + 100, high].map(Math.round).join(" ");
    return [svg("svg", { viewBox: box, class: "map", role: "group", "aria-label": `A map of ${found.models.length} models` }, ...points), legend].filter(Boolean);
  }

  /* A name above, below or beside its point, where it covers no other; none where there is no such place. */
  function room(name, x, y, taken) {
    const wide = 6.2 * name.length, places = [[x - wide / 2, y - 9, "middle", x], [x - wide / 2, y + 18, "middle", x], [x + 10, y + 4, "start", x + 10], [x - 10 - wide, y + 4, "end", x - 10]];
    for (const [left, base, anchor, at] of places) {
      const box = [left, base - 10, left + wide, base + 2];
      if (taken.some(([a, b, c, d]) => a < box[2] && c > box[0] && b < box[3] && d > box[1])) continue;
      taken.push(box);
      return [svg("text", { x: at, y: base, "text-anchor": anchor }, name)];
    }
    return [];
  }

  const table = (name, heads, lines) => h("section", {}, h("h3", {}, name), h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": name }, h("table", { class: "groups" },
    h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, lines.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), rest.map((text) => h("td", {}, text))))))));
})();
