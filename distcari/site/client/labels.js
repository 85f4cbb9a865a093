/* What of the store a state means: experiments, axes, labels, tags; what lies at each place, and why where nothing does.
   The same rules as the dashboard's data/catalog.py, window.py, facets.py and families.py. */
(() => {
  const known = new Map();

  /* An experiment: its description with what is looked up often. */
  class Experiment {
    constructor(name, said) {
      Object.assign(this, said, { name, failures: new Map(), held: [] });
      this.index = Object.fromEntries(this.axes.map((axis) => [axis, new Map(this.labels[axis].map((label, i) => [label, i]))]));
      this.bits = distcari.bytes(said.done);
      this.size = this.axes.reduce((n, axis) => n * this.labels[axis].length, 1);
    }

    /* The number of the place with these labels (a Map), -1 where a label is not here. */
    place(labels) {
      let at = 0;
      for (const axis of this.axes) {
        const i = this.index[axis].get(labels.get(axis));
        if (i === undefined) return -1;
        at = at * this.labels[axis].length + i;
      }
      return at;
    }

    at(place) { // the labels of a place
      const found = new Map();
      for (const axis of [...this.axes].reverse()) {
        const n = this.labels[axis].length;
        found.set(axis, this.labels[axis][place % n]);
        place = Math.floor(place / n);
      }
      return new Map([...found].reverse());
    }

    isDone(place) { return place >= 0 && Boolean((this.bits[place >> 3] >> (place & 7)) & 1); }
    plans(model, layer) { return !this.lacks_(model).has(layer); }
    lacks_(model) {
      this.sets ??= new Map(Object.entries(this.lacks).map(([name, layers]) => [name, new Set(layers)]));
      return this.sets.get(model) || new Set();
    }

    /* Load what says why pictures are missing. */
    async reasons() {
      if (!this.failed || this.failures.size) return;
      const { places, reasons } = await distcari.load(this.failuresFile());
      const texts = distcari.texts(reasons);
      places.forEach((place, i) => this.failures.set(place, texts[i]));
    }
    failuresFile() { return distcari.site.experiments[this.name].failures; }

    /* Load the keys and pictures of these places. */
    async need(places) {
      const size = distcari.site.sizes.block, wanted = new Set();
      for (const place of places) if (place >= 0 && !this.held[Math.floor(place / size)]) wanted.add(Math.floor(place / size));
      await Promise.all([...wanted].map(async (i) => { this.held[i] = distcari.bytes(await distcari.load(this.blocks[i])); }));
    }
    has(place) { return Boolean(this.held[Math.floor(place / distcari.site.sizes.block)]); }

    hex(place, from, to) {
      const { block, bytes } = distcari.site.sizes, start = (place % block) * bytes;
      let text = "";
      for (const byte of this.held[Math.floor(place / block)].subarray(start + from, start + to)) text += byte.toString(16).padStart(2, "0");
      return text;
    }
    key(place) { return this.hex(place, 0, 16); }
    picture(place) { return this.hex(place, 16, 24); }

    /* The place of a key: in what is loaded, then in everything; -1 if it is not here. */
    async find(key) {
      const size = distcari.site.sizes.block;
      const look = (i) => {
        for (let place = i * size; place < Math.min((i + 1) * size, this.size); place++) if (this.isDone(place) && this.key(place) === key) return place;
        return -1;
      };
      for (const loaded of [true, false]) {
        if (!loaded) await this.need(this.blocks.map((_, i) => i * size));
        for (let i = 0; i < this.blocks.length; i++) {
          const place = this.held[i] ? look(i) : -1;
          if (place >= 0) return place;
        }
      }
      return -1;
    }

    /* A figure's values at all places; null if no cell has any. */
    async column(figure) { return this.columns[figure] ? distcari.floats(await distcari.load(this.columns[figure])) : null; }

    slot(labels) {
      const made = (status, reason, place = -1) => ({ experiment: this.name, labels, status, reason, place });
      for (const [axis, label] of labels) {
        if (axis === "experiment") continue;
        if (!this.axes.includes(axis)) {
          if (label !== (this.fixed[axis] ?? "—")) return made("not planned", `${this.name} has ${axis} ${this.fixed[axis] ?? "—"} only.`);
        } else if (!this.index[axis].has(label)) return made("not planned", `${this.name} has no ${axis} ${label}.`);
      }
      const place = this.place(labels);
      if (this.isDone(place)) return made("done", "", place);
      if (this.failures.has(place)) return made("failed", this.failures.get(place), place);
      const [model, layer] = [labels.get("model"), labels.get("layer")];
      if (!this.plans(model, layer)) return made("not planned", `${model} has no layer ${layer}.`, place);
      return made("pending", "It had not been computed when this was published.", place);
    }
  }

  distcari.experiment = (name) => {
    if (!known.has(name) && Object.hasOwn(distcari.site.experiments, name)) known.set(name, new Experiment(name, distcari.site.experiments[name]));
    return known.get(name);
  };

  distcari.chosen = (state) => {
    const found = state.experiments.filter((name) => distcari.experiment(name));
    return found.length ? found : [distcari.site.chosen];
  };

  distcari.axes = (names) => [...new Set([...(names.length > 1 ? ["experiment"] : []), ...names.flatMap((name) => distcari.experiment(name).axes)])];

  function joined(lists) { // without repetition; what is new in a later list stands behind its predecessor there
    const found = [];
    for (const labels of lists) {
      let at = 0;
      const before = new Set(found);
      for (const label of labels) {
        if (before.has(label)) at = found.indexOf(label) + 1;
        else found.splice(at++, 0, label);
      }
    }
    return found;
  }

  distcari.labels = (names, axis) => {
    if (axis === "experiment") return [...names];
    const lists = names.map((name) => distcari.experiment(name)).map((e) => e.labels[axis] || [e.fixed[axis] ?? "—"]);
    if (!distcari.site.ascending.includes(axis)) return lists.length === 1 ? lists[0] : joined(lists);
    return [...new Set(lists.flat())].sort((a, b) => (a === "—") - (b === "—") || (Number(a) || 0) - (Number(b) || 0));
  };

  /* The tags of these experiments' models: tag -> value -> models, in the tags' orders. */
  distcari.tags = (names) => {
    const found = new Map();
    for (const name of names) {
      for (const [tag, groups] of Object.entries(distcari.experiment(name).tags)) {
        if (!found.has(tag)) found.set(tag, new Map());
        for (const [value, models] of groups) found.get(tag).set(value, [...new Set([...(found.get(tag).get(value) || []), ...models])]);
      }
    }
    return found;
  };

  const MOST_VALUES = 40; // of a tag that are offered as filters
  distcari.filters = (names) => [...distcari.tags(names)].filter(([, groups]) => groups.size > 1 && groups.size <= MOST_VALUES)
    .flatMap(([tag, groups]) => [...groups.keys()].map((value) => `${tag}=${value}`));

  /* The models in their order, grouped by a tag, kept to one value of one; and each model's group. */
  distcari.family = (names, by, only) => {
    const tags = distcari.tags(names), cut = only.indexOf("=");
    const kept = tags.get(only.slice(0, Math.max(cut, 0)))?.get(only.slice(cut + 1)) || distcari.labels(names, "model");
    if (!tags.has(by)) return { models: kept, groups: new Map() };
    const groups = new Map();
    for (const [value, models] of tags.get(by)) for (const model of models) groups.set(model, value);
    const here = new Set(kept);
    return { models: [...groups.keys()].filter((model) => here.has(model)), groups };
  };

  const first = (wanted, taken) => wanted.find((axis) => axis !== taken) || "model";

  /* Which axes lie where, and what the others are held at: models × layers of the first image, unless the state says otherwise. */
  distcari.resolve = (state) => {
    const names = distcari.chosen(state), axes = distcari.axes(names);
    const rows = axes.includes(state.rows) ? state.rows : first(["model", ...axes], axes.includes(state.cols) ? state.cols : "");
    const cols = axes.includes(state.cols) && state.cols !== rows ? state.cols : first(["layer", "model", ...axes], rows);
    let scope = names;
    if (names.length > 1 && rows !== "experiment" && cols !== "experiment") scope = names.includes(state.at.get("experiment")) ? [state.at.get("experiment")] : names.slice(0, 1);
    const at = new Map();
    for (const axis of axes) {
      if (axis === rows || axis === cols) continue;
      const labels = distcari.labels(scope, axis);
      at.set(axis, labels.includes(state.at.get(axis)) ? state.at.get(axis) : labels[0] ?? "");
    }
    return { scope, axes, rows, cols, at };
  };

  /* What lies at labels; `experiment` among them says of which, else the first of the scope. */
  distcari.slot = (scope, labels) => {
    const name = labels.get("experiment") ?? scope[0], found = distcari.experiment(name);
    return found ? found.slot(labels) : { experiment: name, labels, status: "not planned", reason: `There is no experiment ${name}.`, place: -1 };
  };
})();
