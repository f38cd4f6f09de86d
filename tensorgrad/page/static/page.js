// The page: a picture is drawn or opened, goes through the network, and every layer's maps are shown.
"use strict";

(() => {
  const description = JSON.parse(document.getElementById("model").textContent);
  const server = description.server; // where to ask for gradients and training; null for a page that stands alone
  const [height, width, channels] = description.shape;
  const byId = (id) => document.getElementById(id);
  const PEN = Math.max(1, Math.min(height, width) / 14); // the pen's radius, in pixels of the network's picture
  const SCALE = Math.max(1, Math.floor(308 / width)); // of the drawing
  const MOST = 64; // maps of a layer that are shown

  let network = Network.load(description);
  let values = []; // after each layer, for the picture that is shown
  const drawing = byId("drawing");
  drawing.width = width * SCALE;
  drawing.height = height * SCALE;
  const pen = drawing.getContext("2d", { willReadFrequently: true });
  const small = document.createElement("canvas"); // the picture as the network gets it
  small.width = width;
  small.height = height;
  const shrunk = small.getContext("2d", { willReadFrequently: true });

  // -- drawing -------------------------------------------------------------------------------------------------------

  function clear() {
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, drawing.width, drawing.height);
    blank = true;
    update();
  }

  function stroke(from, to) {
    pen.strokeStyle = pen.fillStyle = channels === 3 ? byId("colour").value : "#fff";
    pen.lineWidth = 2 * PEN * SCALE;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x, to.y + 0.01);
    pen.stroke();
    blank = false;
    later();
  }

  const place = (event) => {
    const box = drawing.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * drawing.width,
      y: ((event.clientY - box.top) / box.height) * drawing.height,
    };
  };
  let last = null, blank = true, due = false;
  const cursor = { x: drawing.width / 2, y: drawing.height / 4 };

  drawing.addEventListener("pointerdown", (event) => {
    drawing.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!last) return;
    const next = place(event);
    stroke(last, next);
    last = next;
  });
  for (const end of ["pointerup", "pointercancel"]) drawing.addEventListener(end, () => { last = null; });

  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Delete" || event.key === "Escape") clear();
    if (!step) return;
    event.preventDefault();
    const before = { ...cursor };
    cursor.x = Math.min(drawing.width, Math.max(0, cursor.x + step[0] * SCALE));
    cursor.y = Math.min(drawing.height, Math.max(0, cursor.y + step[1] * SCALE));
    if (event.shiftKey) stroke(before, cursor);
    byId("hint").textContent = `Pen at column ${Math.round(cursor.x / SCALE)}, row ${Math.round(cursor.y / SCALE)}.`;
  });

  byId("clear").addEventListener("click", clear);
  byId("centre").addEventListener("change", update);
  byId("file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    try {
      const picture = await createImageBitmap(file);
      pen.drawImage(picture, 0, 0, drawing.width, drawing.height);
      blank = false;
      byId("centre").checked = false;
      update();
    } catch {
      byId("said").textContent = `${file.name} is not a picture that this browser can read.`;
    }
  });

  // -- from the drawing to the network ---------------------------------------------------------------------------------

  // What is drawn, moved so that its centre of mass is in the middle and scaled to 5/7 of the picture, as MNIST's digits.
  function centred() {
    const { data } = pen.getImageData(0, 0, drawing.width, drawing.height);
    let left = drawing.width, right = -1, top = drawing.height, bottom = -1, mass = 0, x = 0, y = 0;
    for (let row = 0, i = 0; row < drawing.height; row++) {
      for (let column = 0; column < drawing.width; column++, i += 4) {
        const light = data[i] + data[i + 1] + data[i + 2];
        if (light < 60) continue;
        left = Math.min(left, column);
        right = Math.max(right, column);
        top = Math.min(top, row);
        bottom = Math.max(bottom, row);
        mass += light;
        x += light * column;
        y += light * row;
      }
    }
    if (right < 0) return;
    const side = Math.max(right - left, bottom - top) + 1;
    const factor = ((5 / 7) * Math.min(width, height)) / side;
    shrunk.setTransform(factor, 0, 0, factor, width / 2 - (x / mass + 0.5) * factor, height / 2 - (y / mass + 0.5) * factor);
    shrunk.drawImage(drawing, left, top, right - left + 1, bottom - top + 1, left, top, right - left + 1, bottom - top + 1);
    shrunk.setTransform(1, 0, 0, 1, 0, 0);
  }

  function pixels() { // 0 to 255, channels last
    shrunk.imageSmoothingQuality = "high";
    shrunk.fillStyle = "#000";
    shrunk.fillRect(0, 0, width, height);
    if (byId("centre").checked) centred();
    else shrunk.drawImage(drawing, 0, 0, width, height);
    const { data } = shrunk.getImageData(0, 0, width, height);
    const found = new Float32Array(width * height * channels);
    for (let i = 0; i < width * height; i++) {
      if (channels === 1) found[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
      else for (let c = 0; c < channels; c++) found[channels * i + c] = data[4 * i + (c % 3)];
    }
    return found;
  }

  function prepared(raw) { // as the network's training had its pictures
    if (description.pixels === "raw") return raw;
    if (description.pixels === "unit") return raw.map((p) => p / 255);
    const mean = raw.reduce((a, b) => a + b, 0) / raw.length;
    const deviation = Math.sqrt(raw.reduce((a, b) => a + (b - mean) ** 2, 0) / raw.length);
    return raw.map((p) => (deviation ? (p - mean) / deviation : 0));
  }

  function later() { // once for each frame of the screen
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      update();
    });
  }

  function update() {
    const began = performance.now();
    values = network.run(prepared(pixels()));
    const forward = performance.now() - began;
    answer(values[values.length - 1].data);
    maps();
    byId("time").textContent = blank ? "" : `computed in ${forward.toFixed(1)} ms`;
    document.documentElement.dataset.ready = "true";
  }

  // -- what it says ------------------------------------------------------------------------------------------------------

  const classes = description.classes;
  classes.forEach((name) => {
    const item = document.createElement("li");
    item.innerHTML = '<span class="name"></span><span class="track"><span class="bar"></span></span><span class="number"></span>';
    item.querySelector(".name").textContent = name;
    byId("bars").append(item);
  });

  const percent = (share) => `${(100 * share).toFixed(1)} %`;

  function answer(outputs) {
    const shares = outputs.length === 1 && classes.length === 2 ? [1 - outputs[0], outputs[0]] : [...outputs];
    const best = shares.indexOf(Math.max(...shares));
    [...byId("bars").children].forEach((item, i) => {
      item.querySelector(".bar").style.width = `${Math.max(0, Math.min(1, shares[i])) * 100}%`;
      item.querySelector(".number").textContent = description.probabilities ? percent(shares[i]) : shares[i].toPrecision(3);
    });
    byId("said").textContent = blank ? "Draw something."
      : description.probabilities ? `${classes[best]}, ${percent(shares[best])} sure` : classes[best];
    byId("said").dataset.answer = blank ? "" : classes[best];
  }

  // -- the maps --------------------------------------------------------------------------------------------------------

  const shown = []; // for each layer its canvases

  function built() {
    const box = byId("maps");
    box.replaceChildren();
    shown.length = 0;
    network.layers.forEach((layer, i) => {
      const shape = layer.output, image = shape.length === 3;
      const count = Math.min(MOST, image ? shape[2] : 1);
      const heading = document.createElement("h3");
      heading.textContent = `${layer.name}: ${shape.join(" x ")}` + (image && shape[2] > count ? ` (${count} maps shown)` : "");
      const tiles = document.createElement("div");
      tiles.className = "tiles";
      const canvases = [];
      for (let map = 0; map < count; map++) {
        const canvas = document.createElement("canvas");
        const flat = shape.reduce((a, b) => a * b, 1);
        [canvas.width, canvas.height] = image ? [shape[1], shape[0]] : [Math.min(flat, 256), Math.ceil(flat / 256)];
        const scale = image ? Math.max(1, Math.round(56 / shape[1])) : Math.max(1, Math.min(24, Math.floor(640 / canvas.width)));
        canvas.style.width = `${canvas.width * scale}px`;
        canvas.style.maxWidth = "100%";
        const button = document.createElement("button");
        button.type = "button";
        button.setAttribute("aria-label", image ? `Map ${map} of ${layer.name}` : `The numbers of ${layer.name}`);
        button.append(canvas);
        button.addEventListener("click", (event) => opened(i, map, canvas, event));
        tiles.append(button);
        canvases.push(canvas);
      }
      shown.push(canvases);
      box.append(heading, tiles);
    });
  }

  function maps() {
    values.forEach(({ shape, data }, i) => {
      let low = Infinity, high = -Infinity;
      for (const number of data) {
        if (number < low) low = number;
        if (number > high) high = number;
      }
      const reach = high - low || 1, step = shape.length === 3 ? shape[2] : 1;
      shown[i].forEach((canvas, map) => {
        paint(canvas, (k) => (map + k * step < data.length ? (data[map + k * step] - low) / reach : 0));
      });
    });
  }

  function paint(canvas, level) {
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
    for (let k = 0; k < canvas.width * canvas.height; k++) {
      const grey = 255 * level(k);
      image.data.set([grey, grey, grey, 255], 4 * k);
    }
    context.putImageData(image, 0, 0);
  }

  // -- one unit, large: its map and, with a server, the pixels that it answers to and what excites it -----------------------

  async function opened(layer, map, canvas, event) {
    const box = canvas.getBoundingClientRect(), keyboard = event.detail === 0;
    const column = keyboard ? canvas.width >> 1 : Math.floor(((event.clientX - box.left) / box.width) * canvas.width);
    const row = keyboard ? canvas.height >> 1 : Math.floor(((event.clientY - box.top) / box.height) * canvas.height);
    const { name, output } = network.layers[layer];
    const unit = output.length === 3 ? [row, column, map] : [Math.min(row * canvas.width + column, output[0] - 1)];
    byId("unit-title").textContent = `${name}, ${output.length === 3 ? `map ${map}` : `unit ${unit[0]}`}`;
    const pictures = byId("unit-pictures");
    pictures.replaceChildren(figure(output.length === 3 ? "the map" : "the layer", canvas.width, canvas.height, canvas));
    byId("unit-note").textContent = "";
    byId("unit").showModal();
    if (!server) return;
    const found = await ask("unit", { layer, unit, picture: [...prepared(pixels())] });
    if (!found) return;
    byId("unit-note").textContent = "Bright pixels are those whose change moves this unit most; the third picture excites it most.";
    for (const [title, key] of [["the pixels that it answers to", "gradient"], ["what excites it", "ascent"], ["its filter", "filter"]]) {
      if (!found[key]) continue;
      const { shape, data } = found[key];
      const drawn = figure(title, shape[1], shape[0]);
      const low = Math.min(...data), reach = Math.max(...data) - low || 1;
      paint(drawn.querySelector("canvas"), (k) => (data[k] - low) / reach);
      pictures.append(drawn);
    }
  }

  function figure(title, columns, rows, source) {
    const whole = document.createElement("figure"), caption = document.createElement("figcaption");
    const canvas = document.createElement("canvas");
    canvas.width = columns;
    canvas.height = rows;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", title);
    if (source) canvas.getContext("2d").drawImage(source, 0, 0);
    caption.textContent = title;
    whole.append(canvas, caption);
    return whole;
  }

  // -- teaching, with a server ---------------------------------------------------------------------------------------------

  async function ask(what, body) {
    try {
      const response = await fetch(`${server}/${what}`, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      const found = await response.json();
      if (!response.ok) throw new Error(found.error);
      return found;
    } catch (error) {
      byId("kept").textContent = `The server did not answer: ${error.message}`;
      return null;
    }
  }

  const losses = [];
  let examples = 0;

  function taught(found) {
    if (!found) return;
    if (found.layers) {
      network = Network.load({ ...description, layers: found.layers });
      update();
    }
    losses.push(...(found.losses || []));
    examples = found.examples;
    byId("kept").textContent = examples
      ? `${examples} example${examples > 1 ? "s" : ""} kept.` + (losses.length ? ` Loss ${losses[losses.length - 1].toFixed(3)} after ${losses.length} steps.` : "")
      : "No examples yet.";
    for (const id of ["step", "epoch"]) byId(id).disabled = !examples;
    byId("forget").disabled = !examples && !losses.length;
    curve();
  }

  function curve() {
    const svg = byId("curve");
    svg.toggleAttribute("hidden", losses.length < 2);
    if (losses.length < 2) return svg.replaceChildren();
    const top = Math.max(...losses), points = losses.map((loss, i) => `${30 + (265 * i) / (losses.length - 1)},${80 - (70 * loss) / top}`);
    svg.innerHTML = `<path d="M${points.join("L")}"/><text x="0" y="14">${top.toFixed(2)}</text><text x="0" y="82">0</text>`;
  }

  if (server) {
    byId("lead").textContent = "Draw, and see what every layer makes of it; then teach it your handwriting.";
    byId("teach").hidden = !description.trainable;
    classes.forEach((name, i) => byId("label").add(new Option(name, i)));
    byId("keep").addEventListener("click", async () => {
      if (!blank) taught(await ask("keep", { picture: [...prepared(pixels())], label: Number(byId("label").value) }));
    });
    byId("step").addEventListener("click", async () => taught(await ask("train", { steps: 1 })));
    byId("epoch").addEventListener("click", async () => taught(await ask("train", { epochs: 1 })));
    byId("forget").addEventListener("click", async () => {
      losses.length = 0;
      taught(await ask("forget", {}));
    });
  }
  byId("palette").hidden = channels !== 3;
  byId("centre").checked = channels === 1;
  built();
  clear();
})();
