/* A grid of tiles of which only what is seen is in the page: 100,000 cells scroll as 100 do. */
(() => {
  const { h } = distcari, GAP = 3, OVER = 1; // pixels between tiles; rows and columns drawn beyond the window
  const clamp = (low, value, high) => Math.min(high, Math.max(low, value));

  /* `grid`: rows, cols (labels), compact, figure (whether a line stands below each picture), margin (an element or null),
     images (which axis has pictures as headings: "rows", "cols" or ""), head (pixels of the rows' headings), lines (of text
     in a column's heading), rowHead(i), colHead(j), tile(i, j) -> attributes; name. */
  distcari.Facets = class {
    constructor(grid) {
      this.grid = grid;
      this.lines = new Map();
      this.sheet = h("div", { class: "facets sheet", role: "grid", "aria-label": grid.name, "aria-rowcount": grid.rows.length + 1, "aria-colcount": grid.cols.length + 1 });
      this.heads = h("div", { class: "line heads", role: "row", "aria-rowindex": 1 }, grid.corner);
      this.sheet.append(this.heads);
      const kinds = ["stage", grid.compact && "compact", grid.margin && "with-margin", grid.images === "rows" && "image-rows"];
      this.stage = h("div", { class: kinds.filter(Boolean).join(" "), tabindex: -1 }, grid.margin, this.sheet);
      this.stage.addEventListener("scroll", () => this.draw(), { passive: true });
      this.observer = new ResizeObserver(() => { if (this.sized !== this.size()) this.measure(); });
    }

    /* Begin, once the stage is in the page; `at` is where it was scrolled to. */
    begin(at) {
      this.measure();
      if (at) this.stage.scrollTo({ left: at[0], top: at[1], behavior: "instant" });
      this.draw();
      this.observer.observe(this.stage);
    }
    end() { this.observer.disconnect(); }

    size() { return `${this.stage.clientWidth} ${this.stage.clientHeight}`; }

    measure() {
      this.sized = this.size();
      const { grid, stage } = this, phone = innerWidth <= 720, wide = stage.clientWidth;
      const text = 8 + 16 * grid.lines, below = grid.figure ? 21 : 0;
      const beside = Boolean(grid.margin) && !phone, pictures = grid.images === "rows";
      const head = pictures ? 0 : phone ? (grid.compact ? 92 : 60) : grid.head;
      const fitW = (wide - head - 14) / (grid.cols.length + (beside || pictures ? 1 : 0)) - GAP;
      const fitH = (stage.clientHeight - text - 16) / (grid.rows.length + (grid.images === "cols" ? 1 : 0)) - GAP - below;
      const tile = Math.floor(grid.compact ? clamp(24, Math.min(fitW, fitH), 448) : phone ? clamp(72, fitW, 448) : clamp(84, Math.min(fitW, Math.max(176, fitH)), 448));
      Object.assign(this, {
        tile, head: pictures ? tile + GAP : head,
        stepX: (grid.compact ? Math.max(66, tile) : tile) + GAP,
        stepY: tile + below + GAP,
        height: (grid.images === "cols" ? (grid.compact ? Math.max(66, tile) : tile) : 0) + text,
      });
      const sizes = { tile, margin: grid.compact ? Math.max(120, tile) : tile, head: this.head, heads: this.height };
      for (const part of stage.children) for (const [name, size] of Object.entries(sizes)) part.style.setProperty(`--${name}`, `${size}px`);
      this.sheet.style.width = `${this.head + grid.cols.length * this.stepX}px`;
      this.sheet.style.height = `${this.height + GAP + grid.rows.length * this.stepY + 10}px`;
      for (const [, line] of this.lines) line.remove();
      this.lines.clear();
      this.heads.replaceChildren(this.heads.firstChild);
      this.draw();
    }

    /* Which rows and columns are seen. */
    window() {
      const { stage, sheet, grid } = this;
      const x = stage.scrollLeft - sheet.offsetLeft - this.head, y = stage.scrollTop - sheet.offsetTop - this.height;
      const range = (start, size, step, n) => [clamp(0, Math.floor(start / step) - OVER, n), clamp(0, Math.ceil((start + size) / step) + OVER, n)];
      return [range(y, stage.clientHeight, this.stepY, grid.rows.length), range(x, stage.clientWidth, this.stepX, grid.cols.length)];
    }

    draw() {
      if (!this.tile) return;
      const { grid } = this, [[top, bottom], [left, right]] = this.window();
      const held = (element) => element.contains(document.activeElement); // the focus stays, even out of sight
      for (const [i, line] of this.lines) if ((i < top || i >= bottom) && !held(line)) { line.remove(); this.lines.delete(i); }
      this.fill(this.heads, left, right, held, (j) => this.place(grid.colHead(j), this.head + j * this.stepX));
      let next = null;
      for (let i = bottom - 1; i >= top; i--) {
        let line = this.lines.get(i);
        if (!line) {
          const head = grid.rowHead(i);
          line = h("div", { class: "line", role: "row", "aria-rowindex": i + 2, style: { top: `${this.height + GAP + i * this.stepY}px`, height: `${this.stepY - GAP}px` } }, head);
          this.lines.set(i, line);
          this.sheet.insertBefore(line, next);
        }
        next = line;
        this.fill(line, left, right, held, (j) => this.place(h("div", { role: "gridcell", ...grid.tile(i, j) }), this.head + j * this.stepX));
      }
      grid.seen?.([top, bottom], [left, right]);
    }

    /* The columns left … right of a row, behind its heading; those that are there stay. */
    fill(line, left, right, held, make) {
      const there = new Map([...line.children].slice(1).map((element) => [Number(element.dataset.col), element]));
      for (const [j, element] of there) if ((j < left || j >= right) && !held(element)) { element.remove(); there.delete(j); }
      let next = null;
      for (let j = right - 1; j >= left; j--) {
        let element = there.get(j);
        if (!element) {
          element = make(j);
          element.dataset.col = j;
          element.setAttribute("aria-colindex", j + 2);
          line.insertBefore(element, next);
        }
        next = element;
      }
    }

    place(element, x) { element.style.left = `${x}px`; return element; }

    /* Ask the grid again for the tiles that are seen: more is known of them now. */
    renew() {
      for (const [i, line] of this.lines) {
        for (const tile of [...line.children].slice(1)) {
          for (const [name, value] of Object.entries(this.grid.tile(i, Number(tile.dataset.col)))) if (tile.getAttribute(name) !== value) tile.setAttribute(name, value);
        }
      }
    }
  };
})();
