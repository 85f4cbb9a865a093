/* Table: the picture in a row, a link to its cell; a click anywhere else in the row opens it too. */
window.dashAgGridComponentFunctions = Object.assign(window.dashAgGridComponentFunctions || {}, {
  DistcariPicture: (props) => {
    if (!props.data) return null;
    const image = React.createElement("img", { src: props.value, alt: props.data.alt, width: 56, height: 56, loading: "lazy" });
    return React.createElement("a", { href: window.distcariCell(props.data.key), "data-go": "", tabIndex: -1 }, image);
  },
});

window.distcariCell = (key) => {
  const url = new URLSearchParams(location.search);
  url.set("view", "cell");
  url.set("cell", key);
  return "?" + url.toString();
};

window.dash_clientside = Object.assign({}, window.dash_clientside, {
  table: {
    open: (clicked) => {
      const { no_update } = window.dash_clientside;
      if (!clicked || !clicked.rowId || !clicked.colId || clicked.colId.startsWith("ag-Grid") || clicked.colId === "picture") return no_update;
      if (window.getSelection().toString()) return no_update; // somebody copies from the row
      return window.distcariCell(clicked.rowId);
    },
    refresh: () => {
      if (document.getElementById("table-grid")) window.dash_ag_grid?.getApi("table-grid")?.refreshInfiniteCache();
      return window.dash_clientside.no_update;
    },
  },
});
