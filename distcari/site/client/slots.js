/* What side by side shows: two to four slots with every axis filled in. As the dashboard's views/side/slots.py. */
(() => {
  const labelsOf = (name, axis) => distcari.labels([name], axis);

  /* A slot's labels with experiment and every axis; what is missing is the first label. */
  function fill(labels, name) {
    const of = labels.get("experiment") ?? name, one = distcari.experiment(of);
    const found = new Map([["experiment", of], ...(one ? one.axes.map((axis) => [axis, labelsOf(of, axis)[0] ?? ""]) : [])]);
    for (const [axis, label] of labels) if (found.has(axis) || !one) found.set(axis, label);
    return found;
  }

  function layers(labels) { // those that the slot's model has
    const one = distcari.experiment(labels.get("experiment"));
    return one ? labelsOf(one.name, "layer").filter((layer) => one.plans(labels.get("model"), layer)) : [];
  }

  function choices(labels, axis) {
    if (axis === "experiment") return Object.keys(distcari.site.experiments);
    if (axis === "layer") return layers(labels);
    return distcari.experiment(labels.get("experiment")) ? labelsOf(labels.get("experiment"), axis) : [];
  }

  /* A slot with another label. A model that lacks the layer is shown at its layer of the same relative place. */
  function moved(labels, axis, label) {
    const old = layers(labels);
    let changed = new Map([...labels, [axis, label]]);
    if (axis === "experiment") changed = fill(new Map([...changed].filter(([name, value]) => name === "experiment" || labelsOf(label, name).includes(value))), label);
    const now = layers(changed);
    if ((axis === "model" || axis === "experiment") && now.length && !now.includes(changed.get("layer"))) {
      const at = old.includes(labels.get("layer")) ? old.indexOf(labels.get("layer")) / Math.max(old.length - 1, 1) : 0;
      changed.set("layer", now[Math.round(at * (now.length - 1))]);
    }
    return changed;
  }

  /* One more slot: the last one with the next label of the first axis that has one not shown yet. */
  function beside(slots) {
    const last = slots.at(-1);
    for (const axis of ["model", ...[...last.keys()].filter((name) => name !== "model" && name !== "experiment")]) {
      const shown = slots.map((slot) => slot.get(axis)), label = choices(last, axis).find((one) => !shown.includes(one));
      if (label !== undefined) return moved(last, axis, label);
    }
    return last;
  }

  async function first(state, name) { // the open cell, else the first of the grid with what its selectors hold
    for (const one of state.cell ? Object.keys(distcari.site.experiments).map(distcari.experiment) : []) {
      const place = await one.find(state.cell);
      if (place >= 0) return new Map([["experiment", one.name], ...one.at(place)]);
    }
    const held = new Map([...distcari.resolve(state).at].filter(([axis]) => axis !== "experiment"));
    const at = fill(held, name), planned = layers(at);
    if (!planned.includes(at.get("layer"))) at.set("layer", planned[0] ?? "");
    return at;
  }

  async function filled(state) {
    const name = distcari.chosen(state)[0], found = state.slots.map((slot) => fill(slot, name));
    if (!found.length) found.push(await first(state, name));
    while (found.length < 2) found.push(beside(found));
    return found;
  }

  /* All slots after a choice in one; linked: the others follow where they have that label. */
  function choose(slots, linked, at, axis, label) {
    return slots.map((slot, i) => (i === at || (linked && slot.has(axis) && choices(slot, axis).includes(label)) ? moved(slot, axis, label) : slot));
  }

  /* All slots after one goes a label on; linked: each goes on by itself. Null at the end of the axis. */
  function stepped(slots, linked, at, axis, step) {
    const goes = slots.map((slot) => {
      const labels = choices(slot, axis), here = labels.indexOf(slot.get(axis));
      return labels[here < 0 ? 0 : here + step];
    });
    if (goes[at] === undefined) return null;
    return slots.map((slot, i) => (goes[i] !== undefined && (i === at || linked) ? moved(slot, axis, goes[i]) : slot));
  }

  distcari.slots = { filled, beside, choices, choose, stepped };
})();
