/* Plots on a canvas: violins with their points, and scatter. Every mark knows its cells; 100,000 points draw at once. */
(() => {
  const { h, title } = distcari, { spread } = distcari.groups;
  const FEW = ["#228be6", "#f76707", "#2b8a3e", "#ae3ec9", "#e03131", "#0c8599", "#f59f00", "#868e96"];
  const LEFT = 54, RIGHT = 8, TOP = 10, MOST_IN_VIOLIN = 300, ALL_POINTS = 60;

  const colours = (n) => (n <= FEW.length ? FEW.slice(0, n) : Array.from({ length: n }, (_, i) => `hsl(${(360 * i) / n}, 62%, ${[46, 60, 38][i % 3]}%)`));

  function steps(low, high, most) { // round numbers between the ends
    const rough = (high - low) / most || 1, ten = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].map((m) => m * ten).find((s) => s >= rough);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
    return found;
  }

  function ends(values) {
    let low = Infinity, high = -Infinity;
    for (const v of values) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    const room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 0.5;
    return [low - room, high + room];
  }

  /* A canvas that fills its place, drawn anew whenever that or the colour scheme changes. `paint(pen)`. */
  class Plot {
    constructor(label, paint) {
      this.canvas = h("canvas", { role: "img", "aria-label": label });
      this.paint = paint;
      this.box = h("div", { class: "explore-plot" }, this.canvas);
      this.observers = [new ResizeObserver(() => this.draw()), new MutationObserver(() => this.draw())];
      this.observers[0].observe(this.box);
      this.observers[1].observe(document.documentElement, { attributes: true, attributeFilter: ["data-mantine-color-scheme"] });
      this.scheme = matchMedia("(prefers-color-scheme: dark)");
      this.again = () => this.draw();
      this.scheme.addEventListener("change", this.again);
    }
    end() { this.observers.forEach((o) => o.disconnect()); this.scheme.removeEventListener("change", this.again); }

    draw() {
      const { canvas, box } = this, ratio = devicePixelRatio, style = getComputedStyle(box);
      const [width, height] = [box.clientWidth, box.clientHeight];
      if (!width || !height) return;
      Object.assign(canvas, { width: width * ratio, height: height * ratio });
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      const pen = canvas.getContext("2d");
      pen.scale(ratio, ratio);
      pen.font = "11px system-ui, sans-serif";
      this.ink = style.getPropertyValue("color");
      this.width = width;
      this.height = height;
      this.paint(pen, this);
    }

    /* The frame: lines and numbers at the left, `ticks` ([position 0 … 1, text]) below; the titles of both. */
    frame(pen, [low, high], ticks, across, up) {
      const below = 40, w = this.width - LEFT - RIGHT, height = this.height - TOP - below;
      this.x = (share) => LEFT + share * w;
      this.y = (value) => TOP + (1 - (value - low) / (high - low)) * height;
      this.area = { w, height, low, high };
      pen.fillStyle = this.ink;
      pen.strokeStyle = this.ink;
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      for (const value of steps(low, high, Math.max(2, height / 60))) {
        pen.globalAlpha = 0.18;
        pen.fillRect(LEFT, Math.round(this.y(value)), w, 1);
        pen.globalAlpha = 0.85;
        pen.fillText(String(value).replace("-", "−"), LEFT - 6, this.y(value));
      }
      pen.textAlign = "center";
      const room = w / Math.max(1, ticks.length) - 6, fits = (text) => {
        if (pen.measureText(text).width <= room) return text;
        let cut = text;
        while (cut.length > 1 && pen.measureText(`…${cut}`).width > room) cut = cut.slice(1);
        return `…${cut}`;
      };
      for (const [share, text] of ticks) pen.fillText(fits(text), this.x(share), this.height - below + 12);
      pen.fillText(across, LEFT + w / 2, this.height - 8);
      pen.save();
      pen.translate(9, TOP + height / 2);
      pen.rotate(-Math.PI / 2);
      pen.fillText(up, 0, 0);
      pen.restore();
      pen.globalAlpha = 1;
    }
  }

  const titled = (name) => title(name) + (distcari.unit(name) && distcari.site.figures.includes(name) ? ` (${distcari.unit(name)})` : "");

  function density(known) { // of sorted values: [value, share of the highest]
    const n = known.length, mean = known.reduce((s, v) => s + v, 0) / n, sd = Math.sqrt(known.reduce((s, v) => s + (v - mean) ** 2, 0) / n);
    const width = 1.06 * sd * n ** -0.2; // Silverman's rule
    if (!(width > 0)) return [[known[0], 1]];
    const at = Array.from({ length: 48 }, (_, i) => known[0] + (i / 47) * (known[n - 1] - known[0]));
    const high = at.map((v) => known.reduce((s, k) => s + Math.exp(-0.5 * ((v - k) / width) ** 2), 0)), top = Math.max(...high);
    return at.map((v, i) => [v, high[i] / top]);
  }

  /* A figure's distribution in each group of x and of colour; of few cells each is a point. `pick({x, by})` on a click. */
  function violins(all, x, by, name, column, values, pick) {
    const many = by.labels.length > 1, tint = colours(many ? by.labels.length : x.labels.length), range = ends(values);
    const at = new Map();
    values.forEach((v, i) => {
      if (!Number.isFinite(v) || x.codes[i] < 0 || by.codes[i] < 0) return;
      const key = x.codes[i] * by.labels.length + by.codes[i];
      if (!at.has(key)) at.set(key, []);
      at.get(key).push(i);
    });
    const bodies = [...at].map(([key, members]) => ({ x: Math.floor(key / by.labels.length), by: key % by.labels.length, values: spread(values, members, MOST_IN_VIOLIN).map((i) => values[i]), few: members.length <= ALL_POINTS }));
    const share = (body) => (body.x + (many ? (body.by + 0.5) / by.labels.length : 0.5)) / x.labels.length;
    const plot = new Plot(`${title(column)} by ${title(name)}, as violins`, (pen, self) => {
      self.frame(pen, range, x.labels.map((label, i) => [(i + 0.5) / x.labels.length, label]), titled(name), titled(column));
      const half = Math.min(60, (0.4 * self.area.w) / x.labels.length / (many ? by.labels.length : 1));
      for (const body of bodies) {
        const middle = self.x(share(body)), shape = density(body.values);
        pen.strokeStyle = pen.fillStyle = tint[many ? body.by : body.x];
        pen.beginPath();
        shape.forEach(([v, wide]) => pen.lineTo(middle - wide * half, self.y(v)));
        [...shape].reverse().forEach(([v, wide]) => pen.lineTo(middle + wide * half, self.y(v)));
        pen.closePath();
        pen.globalAlpha = 0.22;
        pen.fill();
        pen.globalAlpha = 1;
        pen.stroke();
        const quantile = (q) => { // between the two values beside it
          const at = q * (body.values.length - 1), low = Math.floor(at);
          return body.values[low] + (at - low) * (body.values[Math.ceil(at)] - body.values[low]);
        };
        pen.fillRect(middle - 3, self.y(quantile(0.75)), 6, Math.max(1, self.y(quantile(0.25)) - self.y(quantile(0.75))));
        pen.fillRect(middle - 8, self.y(quantile(0.5)) - 1, 16, 2);
        if (!body.few) continue;
        pen.globalAlpha = 0.7;
        body.values.forEach((v, i) => { pen.beginPath(); pen.arc(middle + (((i * 0.618) % 1) - 0.5) * half, self.y(v), 2.2, 0, 7); pen.fill(); });
        pen.globalAlpha = 1;
      }
      if (many) legend(pen, self, by.labels, tint);
    });
    plot.canvas.addEventListener("click", (event) => {
      const at = ((event.offsetX - LEFT) / plot.area.w) * x.labels.length, i = Math.floor(at);
      if (i >= 0 && i < x.labels.length) pick({ x: i, by: many ? Math.min(by.labels.length - 1, Math.floor((at - i) * by.labels.length)) : null });
    });
    return plot;
  }

  /* A point for each cell. `pick(positions)` after a box was drawn, or a point clicked. `x` are groups, or null with numbers. */
  function scatter(all, x, across, by, name, column, values, pick) {
    const tint = colours(by.labels.length), jitter = (i) => (((i * 0.7548776662) % 1) - 0.5) * 0.56;
    const at = x ? Float32Array.from(x.codes, (code, i) => (code < 0 ? NaN : code + jitter(i))) : across;
    const wide = x ? [-0.6, x.labels.length - 0.4] : ends(at), high = ends(values);
    const known = [...values.keys()].filter((i) => Number.isFinite(values[i]) && Number.isFinite(at[i]) && by.codes[i] >= 0);
    let box = null;
    const shareOf = (i) => (at[i] - wide[0]) / (wide[1] - wide[0]);
    const plot = new Plot(`${title(column)} over ${title(name)}, a point for each cell`, (pen, self) => {
      const ticks = x ? x.labels.map((label, i) => [(i - wide[0]) / (wide[1] - wide[0]), label]) : steps(wide[0], wide[1], 8).map((v) => [(v - wide[0]) / (wide[1] - wide[0]), String(v).replace("-", "−")]);
      self.frame(pen, high, ticks, titled(name), titled(column));
      const size = known.length < 500 ? 4 : known.length < 5000 ? 2.5 : 1.5;
      pen.globalAlpha = 0.75;
      for (const i of known) {
        pen.fillStyle = tint[by.codes[i]];
        if (size < 3) pen.fillRect(self.x(shareOf(i)) - size, self.y(values[i]) - size, 2 * size, 2 * size);
        else { pen.beginPath(); pen.arc(self.x(shareOf(i)), self.y(values[i]), size, 0, 7); pen.fill(); }
      }
      pen.globalAlpha = 1;
      if (box) { pen.strokeStyle = self.ink; pen.setLineDash([4, 3]); pen.strokeRect(box[0], box[1], box[2] - box[0], box[3] - box[1]); pen.setLineDash([]); }
      if (by.labels.length > 1) legend(pen, self, by.labels, tint);
    });
    const within = ([a, b, c, d]) => known.filter((i) => {
      const [px, py] = [plot.x(shareOf(i)), plot.y(values[i])];
      return px >= Math.min(a, c) && px <= Math.max(a, c) && py >= Math.min(b, d) && py <= Math.max(b, d);
    });
    plot.canvas.addEventListener("pointerdown", (event) => { box = [event.offsetX, event.offsetY, event.offsetX, event.offsetY]; plot.canvas.setPointerCapture(event.pointerId); });
    plot.canvas.addEventListener("pointermove", (event) => { if (box) { box[2] = event.offsetX; box[3] = event.offsetY; plot.draw(); } });
    plot.canvas.addEventListener("pointerup", () => {
      const drawn = box;
      box = null;
      if (!drawn) return;
      plot.draw();
      if (Math.hypot(drawn[2] - drawn[0], drawn[3] - drawn[1]) > 5) return pick(within(drawn));
      const [px, py] = drawn, apart = (i) => Math.hypot(plot.x(shareOf(i)) - px, plot.y(values[i]) - py);
      const near = within([px - 9, py - 9, px + 9, py + 9]).sort((a, b) => apart(a) - apart(b));
      if (near.length) pick(near.slice(0, 1));
    });
    return plot;
  }

  function legend(pen, self, labels, tint) {
    let at = LEFT + 8;
    pen.textAlign = "left";
    for (const [i, label] of labels.entries()) {
      const wide = pen.measureText(label).width + 22;
      if (at + wide > self.width) return;
      pen.fillStyle = tint[i];
      pen.fillRect(at, TOP + 2, 9, 9);
      pen.fillStyle = self.ink;
      pen.fillText(label, at + 13, TOP + 7);
      at += wide;
    }
  }

  distcari.plots = { violins, scatter };
})();
