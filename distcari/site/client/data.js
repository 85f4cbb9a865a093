/* Data come as scripts that hand over one value each: a page from the disk may load no other form. Nothing is loaded twice. */
window.distcari = { views: {} };
(() => {
  const loads = new Map(), arrived = new Map();

  distcari.put = (value) => {
    const script = document.currentScript;
    if (script.dataset.value === "site") distcari.site = value;
    else arrived.set(script.dataset.value, value);
  };

  /* The value of data/<name>.js; rejects if the file is not there (half a copy of a site). */
  distcari.load = (name) => {
    if (!loads.has(name)) {
      loads.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.dataset.value = name;
        script.onload = () => { script.remove(); resolve(arrived.get(name)); };
        script.onerror = () => { script.remove(); loads.delete(name); reject(new Error(`data/${name}.js could not be loaded`)); };
        script.src = `data/${name}.js`;
        document.head.append(script);
      }));
    }
    return loads.get(name);
  };

  distcari.bytes = (text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const binary = atob(text), bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  };
  distcari.floats = (text) => new Float32Array(distcari.bytes(text).buffer);

  /* [[different texts], [which of them each has]] as a list of texts. */
  distcari.texts = ([found, codes]) => codes.map((code) => found[code]);
})();
