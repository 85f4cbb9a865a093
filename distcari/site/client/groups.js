/* Cells as columns, in groups: by a label, a tag, or the range a figure lies in. As the dashboard's data/grouping.py. */
(() => {
  const BINS = 8;

  /* The finished and failed cells with the held labels (a Map): of each its experiment, its place and whether it failed. */
  async function cells(names, held) {
    const found = { names, of: [], place: [], failed: [] };
    for (const [i, name] of names.entries()) {
      const one = distcari.experiment(name);
      await one.reasons();
      const digits = one.axes.map((axis) => digit(one, axis)), wanted = one.axes.map((axis) => (held.has(axis) ? one.index[axis].get(held.get(axis)) ?? -1 : null));
      for (let place = 0; place < one.size; place++) {
        const lost = !one.isDone(place);
        if (lost && !one.failures.has(place)) continue;
        if (wanted.some((at, axis) => at !== null && digits[axis](place) !== at)) continue;
        found.of.push(i); found.place.push(place); found.failed.push(lost);
      }
    }
    return found;
  }

  function digit(one, axis) { // the number of a place's label on an axis
    const at = one.axes.indexOf(axis), n = one.labels[axis].length;
    const step = one.axes.slice(at + 1).reduce((size, name) => size * one.labels[name].length, 1);
    return (place) => Math.floor(place / step) % n;
  }

  /* A figure of each cell; NaN where there is none. */
  async function values(all, figure) {
    const columns = await Promise.all(all.names.map((name) => distcari.experiment(name).column(figure)));
    return Float32Array.from(all.place, (place, i) => (all.failed[i] ? NaN : columns[all.of[i]]?.[place] ?? NaN));
  }

  /* The cells by a column: `labels` in order, `codes` which of them each cell has, -1 for none. "" is one group. */
  async function group(all, column) {
    const n = all.place.length;
    if (!column) return { labels: ["all cells"], codes: new Int32Array(n) };
    const tag = distcari.tags(all.names).get(column);
    if (tag || distcari.axes(all.names).includes(column)) return named(all, column, tag);
    const known = await values(all, column), groups = ranges(known);
    return column === "layer_depth" ? withLayers(all, groups) : groups;
  }

  function named(all, column, tag) {
    const byModel = tag && new Map([...tag].flatMap(([value, models]) => models.map((model) => [model, value])));
    const order = tag ? [...tag.keys()] : distcari.labels(all.names, column), at = new Map(order.map((label, i) => [label, i]));
    const lookups = all.names.map((name) => {
      const one = distcari.experiment(name);
      if (column === "experiment") return () => at.get(name);
      if (!tag && !one.axes.includes(column)) return () => at.get(one.fixed[column] ?? "—") ?? -1;
      const axis = tag ? "model" : column, codes = one.labels[axis].map((label) => at.get(tag ? byModel.get(label) : label) ?? -1), of = digit(one, axis);
      return (place) => codes[of(place)];
    });
    return present({ labels: order, codes: Int32Array.from(all.place, (place, i) => lookups[all.of[i]](place)) });
  }

  function present({ labels, codes }) { // without the labels that no cell has
    const used = new Set(codes), kept = labels.map((_, i) => i).filter((i) => used.has(i)), now = new Map(kept.map((old, i) => [old, i]));
    return { labels: kept.map((i) => labels[i]), codes: codes.map((code) => now.get(code) ?? -1) };
  }

  function ranges(all) {
    const known = all.filter(Number.isFinite);
    if (!known.length) return { labels: [], codes: new Int32Array(all.length).fill(-1) };
    const few = [...new Set(known)].sort((a, b) => a - b);
    if (few.length <= BINS) {
      const at = new Map(few.map((value, i) => [value, i]));
      return { labels: few.map((value) => String(Number(value.toPrecision(4)))), codes: Int32Array.from(all, (value) => at.get(value) ?? -1) };
    }
    const low = few[0], width = (few.at(-1) - low) / BINS, digits = Math.max(0, 2 - Math.floor(Math.log10(width)));
    const end = (i) => (digits < 7 ? (low + i * width).toFixed(digits) : String(Number((low + i * width).toPrecision(3))));
    return {
      labels: Array.from({ length: BINS }, (_, i) => `${end(i)} – ${end(i + 1)}`),
      codes: Int32Array.from(all, (value) => (Number.isFinite(value) ? Math.min(BINS - 1, Math.floor((value - low) / width)) : -1)),
    };
  }

  function withLayers(all, groups) { // depths with the name of the layer that stands there, where it is one
    const layers = named(all, "layer"), names = new Map();
    groups.codes.forEach((code, i) => names.set(code, names.has(code) && names.get(code) !== layers.codes[i] ? null : layers.codes[i]));
    const labels = groups.labels.map((label, i) => (names.get(i) === null || names.get(i) === undefined ? label : `${layers.labels[names.get(i)]} (${label})`));
    return { labels, codes: groups.codes };
  }

  /* Positions of at most so many values among `at`, evenly from the lowest to the highest; NaN last or left out. */
  function spread(column, at, most, keep = false) {
    const known = at.filter((i) => keep || Number.isFinite(column[i])), rank = (i) => (Number.isNaN(column[i]) ? Infinity : column[i]);
    known.sort((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
    return known.length <= most ? known : Array.from({ length: most }, (_, i) => known[Math.round((i * (known.length - 1)) / (most - 1))]);
  }

  /* n, failed, mean, sd, median of the cells at these positions. */
  function summary(all, column, at) {
    const known = at.map((i) => column[i]).filter(Number.isFinite).sort((a, b) => a - b), n = known.length;
    const mean = known.reduce((sum, v) => sum + v, 0) / n, middle = (n - 1) / 2;
    const sd = n > 1 ? Math.sqrt(known.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1)) : NaN;
    return { n, failed: at.filter((i) => all.failed[i]).length, mean, sd, median: n ? (known[Math.floor(middle)] + known[Math.ceil(middle)]) / 2 : NaN };
  }

  function members(groups) { // positions of each group's cells
    const found = groups.labels.map(() => []);
    groups.codes.forEach((code, i) => { if (code >= 0) found[code].push(i); });
    return found;
  }

  const labelsOf = (all, i) => distcari.experiment(all.names[all.of[i]]).at(all.place[i]);

  distcari.groups = { cells, values, group, spread, summary, members, labelsOf };
})();
