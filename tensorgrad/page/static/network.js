// A network of tensorgrad's in plain JavaScript: images are channels last, and one sample goes through at a time.
// A value is {shape, data}: the shape of one sample, and its numbers, row by row, as a Float32Array.
"use strict";

const Network = (() => {
  const size = (shape) => shape.reduce((a, b) => a * b, 1);
  const value = (shape, data) => ({ shape, data: data || new Float32Array(size(shape)) });

  // Numbers travel as base64 of little-endian float32.
  function decoded(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    const view = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  }

  function erf(x) { // Abramowitz and Stegun's 7.1.26 is good to 1.5e-7 only: a series and a continued fraction are exact
    const a = Math.abs(x);
    if (a < 2) {
      let term = a, sum = a;
      for (let n = 1; Math.abs(term) > 1e-17 && n < 60; n++) {
        term *= -a * a / n;
        sum += term / (2 * n + 1);
      }
      return Math.sign(x) * sum * 2 / Math.sqrt(Math.PI);
    }
    let fraction = 0;
    for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
    return Math.sign(x) * (1 - Math.exp(-a * a) / (a + fraction) / Math.sqrt(Math.PI));
  }

  const sigmoid = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
  const ACTIVATIONS = {
    linear: (x) => x,
    relu: (x) => Math.max(x, 0),
    leaky_relu: (x) => (x > 0 ? x : 0.01 * x),
    elu: (x) => (x > 0 ? x : Math.expm1(x)),
    gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
    softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    swish: (x) => x * sigmoid(x),
    sigmoid,
    tanh: Math.tanh,
  };

  function activated(x, name) {
    if (!name) return x;
    const y = value(x.shape);
    if (name === "softmax") {
      const last = x.shape[x.shape.length - 1];
      for (let start = 0; start < x.data.length; start += last) {
        const row = x.data.subarray(start, start + last);
        let top = -Infinity, sum = 0;
        for (const number of row) top = Math.max(top, number);
        for (const number of row) sum += Math.exp(number - top);
        row.forEach((number, i) => { y.data[start + i] = Math.exp(number - top) / sum; });
      }
      return y;
    }
    const f = ACTIVATIONS[name];
    for (let i = 0; i < x.data.length; i++) y.data[i] = f(x.data[i]);
    return y;
  }

  // The image with a frame [[top, bottom], [left, right]]: of a number, or of copies of the edge.
  function framed(x, [[top, bottom], [left, right]], edge, fill) {
    if (!(top || bottom || left || right)) return x;
    const [h, w, c] = x.shape;
    const y = value([h + top + bottom, w + left + right, c]);
    if (fill) y.data.fill(fill);
    for (let i = 0; i < y.shape[0]; i++) {
      for (let j = 0; j < y.shape[1]; j++) {
        let row = i - top, column = j - left;
        if (edge) {
          row = Math.min(Math.max(row, 0), h - 1);
          column = Math.min(Math.max(column, 0), w - 1);
        } else if (row < 0 || row >= h || column < 0 || column >= w) continue;
        const from = (row * w + column) * c;
        y.data.set(x.data.subarray(from, from + c), (i * y.shape[1] + j) * c);
      }
    }
    return y;
  }

  const LAYERS = {
    conv2d(layer, x) {
      const image = framed(x, layer.padding, layer.edge, 0);
      const [kh, kw, cg, f] = layer.kernel;
      const [sh, sw] = layer.stride, [dh, dw] = layer.dilation;
      const [, w, c] = image.shape;
      const y = value(layer.output);
      const [oh, ow] = y.shape, fg = f / layer.groups;
      const row = new Float64Array(f);
      for (let i = 0; i < oh; i++) {
        for (let j = 0; j < ow; j++) {
          row.set(layer.biases || new Float64Array(f));
          for (let a = 0; a < kh; a++) {
            for (let b = 0; b < kw; b++) {
              const pixel = ((i * sh + a * dh) * w + j * sw + b * dw) * c;
              for (let channel = 0; channel < c; channel++) {
                const number = image.data[pixel + channel];
                if (number === 0) continue;
                const group = Math.floor(channel / cg);
                const tap = ((a * kw + b) * cg + (channel % cg)) * f;
                for (let k = group * fg; k < (group + 1) * fg; k++) row[k] += number * layer.weights[tap + k];
              }
            }
          }
          y.data.set(row, (i * ow + j) * f);
        }
      }
      return activated(y, layer.activation);
    },

    conv_transpose2d(layer, x) {
      const [kh, kw, cg, f] = layer.kernel; // of the convolution that this is the transpose of
      const [sh, sw] = layer.stride, [dh, dw] = layer.dilation, [[top], [left]] = layer.padding;
      const y = value(layer.output), [oh, ow, c] = y.shape, [h, w] = x.shape;
      const sums = new Float64Array(y.data.length), fg = f / layer.groups;
      for (let i = 0; i < h; i++) {
        for (let j = 0; j < w; j++) {
          for (let a = 0; a < kh; a++) {
            for (let b = 0; b < kw; b++) {
              const row = i * sh + a * dh - top, column = j * sw + b * dw - left;
              if (row < 0 || row >= oh || column < 0 || column >= ow) continue;
              for (let channel = 0; channel < c; channel++) {
                const group = Math.floor(channel / cg);
                const tap = ((a * kw + b) * cg + (channel % cg)) * f;
                let sum = 0;
                for (let k = group * fg; k < (group + 1) * fg; k++) {
                  sum += x.data[(i * w + j) * f + k] * layer.weights[tap + k];
                }
                sums[(row * ow + column) * c + channel] += sum;
              }
            }
          }
        }
      }
      for (let i = 0; i < sums.length; i++) y.data[i] = sums[i] + (layer.biases ? layer.biases[i % c] : 0);
      return activated(y, layer.activation);
    },

    pool2d(layer, x) {
      const [kh, kw] = layer.kernel, [sh, sw] = layer.stride, [[top], [left]] = layer.padding;
      const [h, w, c] = x.shape, y = value(layer.output), [oh, ow] = y.shape;
      const better = { max: (a, b) => a > b, min: (a, b) => a < b }[layer.kind];
      for (let i = 0; i < oh; i++) {
        for (let j = 0; j < ow; j++) {
          const rows = [Math.max(0, i * sh - top), Math.min(h, i * sh - top + kh)];
          const columns = [Math.max(0, j * sw - left), Math.min(w, j * sw - left + kw)];
          for (let channel = 0; channel < c; channel++) {
            let found = better ? undefined : 0, count = 0;
            for (let row = rows[0]; row < rows[1]; row++) {
              for (let column = columns[0]; column < columns[1]; column++, count++) {
                const number = x.data[(row * w + column) * c + channel];
                if (!better) found += number;
                else if (found === undefined || better(number, found)) found = number;
              }
            }
            y.data[(i * ow + j) * c + channel] = better ? found : found / count;
          }
        }
      }
      return y;
    },

    global_pool(layer, x) {
      const c = x.shape[2], pixels = x.data.length / c, y = value([c]);
      for (let channel = 0; channel < c; channel++) {
        let sum = 0, most = -Infinity;
        for (let i = channel; i < x.data.length; i += c) {
          sum += x.data[i];
          most = Math.max(most, x.data[i]);
        }
        y.data[channel] = layer.kind === "max" ? most : sum / pixels;
      }
      return y;
    },

    dense(layer, x) {
      const units = layer.output[0], sums = new Float64Array(units);
      if (layer.biases) sums.set(layer.biases);
      for (let i = 0; i < x.data.length; i++) {
        const number = x.data[i];
        if (number === 0) continue;
        for (let unit = 0; unit < units; unit++) sums[unit] += number * layer.weights[i * units + unit];
      }
      return activated(value([units], Float32Array.from(sums)), layer.activation);
    },

    scale(layer, x) { // a factor and a summand for each channel: rescaling, and batch normalization
      const y = value(x.shape), c = x.shape[x.shape.length - 1];
      for (let i = 0; i < x.data.length; i++) {
        y.data[i] = layer.weights[i % layer.weights.length % c] * x.data[i] + layer.biases[i % layer.biases.length % c];
      }
      return y;
    },

    normalize(layer, x) { // over the last axis, or over all of a sample
      const length = layer.over === "sample" ? x.data.length : x.shape[x.shape.length - 1];
      const y = value(x.shape);
      for (let start = 0; start < x.data.length; start += length) {
        let sum = 0, squares = 0;
        for (let i = 0; i < length; i++) sum += x.data[start + i];
        const mean = sum / length;
        for (let i = 0; i < length; i++) squares += (x.data[start + i] - mean) ** 2;
        const deviation = Math.sqrt(squares / length + layer.eps) || 1;
        for (let i = 0; i < length; i++) {
          const standard = (x.data[start + i] - mean) / deviation;
          y.data[start + i] = layer.weights ? standard * layer.weights[i] + layer.biases[i] : standard;
        }
      }
      return y;
    },

    upsample(layer, x) {
      const [kh, kw] = layer.kernel, y = value(layer.output), [oh, ow, c] = y.shape, w = x.shape[1];
      for (let i = 0; i < oh; i++) {
        for (let j = 0; j < ow; j++) {
          const from = (Math.floor(i / kh) * w + Math.floor(j / kw)) * c;
          y.data.set(x.data.subarray(from, from + c), (i * ow + j) * c);
        }
      }
      return y;
    },

    pad: (layer, x) => framed(x, layer.padding, false, 0),
    reshape: (layer, x) => value(layer.output, x.data),
    activation: (layer, x) => activated(x, layer.activation),
    identity: (layer, x) => x,
    sequential: (layer, x) => layer.layers.reduce((passed, inner) => LAYERS[inner.type](inner, passed), x),

    add(layer, x) {
      const [first, ...others] = layer.branches.map((branch) => LAYERS[branch.type](branch, x));
      const y = value(first.shape, Float32Array.from(first.data));
      for (const other of others) other.data.forEach((number, i) => { y.data[i] += number; });
      return y;
    },

    concatenate(layer, x) { // along the channels
      const parts = layer.branches.map((branch) => LAYERS[branch.type](branch, x));
      const y = value(layer.output), c = y.shape[y.shape.length - 1];
      let channel = 0;
      for (const part of parts) {
        const own = part.shape[part.shape.length - 1];
        for (let i = 0; i < part.data.length; i++) y.data[Math.floor(i / own) * c + channel + (i % own)] = part.data[i];
        channel += own;
      }
      return y;
    },
  };

  function prepared(layer) { // decode its numbers, and those of the layers inside of it
    const found = { ...layer };
    for (const name of ["weights", "biases"]) if (typeof layer[name] === "string") found[name] = decoded(layer[name]);
    for (const name of ["layers", "branches"]) if (layer[name]) found[name] = layer[name].map(prepared);
    return found;
  }

  // What a description says, as {shape, layers, run(data)}; run gives the value after each layer, in order.
  function load(description) {
    const layers = description.layers.map(prepared);
    return {
      shape: description.shape,
      layers,
      run(data) {
        let x = value(description.shape, Float32Array.from(data));
        return layers.map((layer) => (x = LAYERS[layer.type](layer, x)));
      },
    };
  }

  return { load, kinds: Object.keys(LAYERS) };
})();

if (typeof module !== "undefined") module.exports = Network; // for tests in Node
