/* What the dashboard's own scripts (tile, hover, pick, keys, side) ask of Dash, answered without it. */
window.dash_clientside = {
  no_update: undefined,
  set_props: (id, props) => { if (id === "goto" && props.data) distcari.go(props.data); },
};
