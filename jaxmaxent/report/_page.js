"use strict";
(() => {
  // Steps of the packed numbers, as in _detail.py.
  const STEPS = 1000, LEAST_ERROR = 1e-4, ERROR_LEVELS = 100, RHAT_FROM = 0.99, RHAT_SCALE = 0.01, RHAT_LEVELS = 15;
  const ESS_LEVELS = 5, UNKNOWN_LEVEL = 65535, SMALLEST_BITS = 0.005, UNSURE = 0.05;
  const ALL_SHOWN = 3; // with more anchors than this, one is shown at a time
  const LEFT = 46, RIGHT = 12, TALL = 150, LEGIBLE = 7;
  const LETTERS = document.body.dataset.letters || "";
  const MOST_BITS = Math.log2(Math.max(LETTERS.length, 2));

  // ---- elements. Text from outside only ever becomes a text node or the value of an attribute.
  const put = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child != null));
    return element;
  };
  const make = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
  const draw = (tag, attributes, ...children) =>
    put(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
  const button = (text, act, attributes) => {
    const made = make("button", { type: "button", ...attributes }, text);
    made.addEventListener("click", act);
    return made;
  };

  // ---- numbers as text
  const known = (value) => value != null && Number.isFinite(value);
  const shown = (value, digits = 4) => {
    if (value === Infinity) return "∞";
    if (!known(value)) return "–";
    const rounded = Number(value.toPrecision(digits));
    const text = Math.abs(rounded) >= 1e4 ? rounded.toLocaleString("en-US") : String(rounded);
    return text.replace("-", "−");
  };
  const withError = (value, error, digits) => {
    if (!known(value)) return "–";
    if (!known(error)) return `${value.toFixed(digits)} ± ?`.replace("-", "−");
    return `${value.toFixed(digits)} ± ${error.toFixed(digits)}`.replace("-", "−");
  };
  const roughly = (value) => (value === 0 ? "0" : known(value) ? `≈ ${shown(value, 2)}` : "–");

  // ---- colors: those of the pictures of the package; on dark paper, lighter ones
  const [GREEN, BLUE, ORANGE, RED, BLACK, PURPLE, GRAY] =
    ["#009E73", "#0058A8", "#E69F00", "#B3261E", "#222222", "#D9A3D9", "#7F7F7F"];
  const LIGHTER = { [GREEN]: "#2CC79B", [BLUE]: "#62ADF2", [ORANGE]: "#F0B840", [RED]: "#F2776E", [BLACK]: "#D5DAE0" };
  const letterColors = () => {
    const letters = [...LETTERS], amino = {};
    for (const [group, color] of [["AVLIPWFM", BLACK], ["GSTYC", GREEN], ["QN", PURPLE], ["KRH", BLUE], ["DE", RED]])
      for (const letter of group) amino[letter] = color;
    const nucleotides = { A: GREEN, C: BLUE, G: ORANGE, T: RED, U: RED };
    if (["A", "C", "G"].every((b) => letters.includes(b)) && letters.every((b) => "ACGTUN-".includes(b)))
      return letters.map((b) => nucleotides[b] || GRAY);
    if (Object.keys(amino).every((b) => letters.includes(b))) return letters.map((b) => amino[b] || GRAY);
    return letters.map((_, i) => [BLUE, ORANGE, GREEN, RED, PURPLE, BLACK][i % 6]);
  };
  const COLORS = letterColors();
  const dark = matchMedia("(prefers-color-scheme: dark)"), printed = matchMedia("print");
  const LIGHT_THEME = { ink: "#1c1f23", soft: "#5b6470", line: "#d9dee4", paper: "#ffffff", of: (color) => color };
  const DARK_THEME = {
    ink: "#e6e9ed", soft: "#a0a9b4", line: "#343b44", paper: "#15181c", of: (color) => LIGHTER[color] || color,
  };
  const theme = () => (dark.matches && !printed.matches ? DARK_THEME : LIGHT_THEME);

  // ---- letters as outlines in a box from (0, 0) to (1, 1)
  const arc = (rx, ry, from, to, cx = 0.5, cy = 0.5) => Array.from({ length: 15 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / 14) * Math.PI) / 180;
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)];
  });
  const bow = (cx, cy, rx, ry) => arc(rx, ry, 90, -90, cx, cy), hollow = (cx, cy, rx, ry) => arc(rx, ry, -90, 90, cx, cy);
  const RING = [arc(0.5, 0.5, 360, 0), arc(0.28, 0.34, 0, 360)]; // holes go round the other way
  const P = [[[0, 0], [0, 1], ...bow(0.55, 0.71, 0.45, 0.29), [0.22, 0.42], [0.22, 0]],
    [[0.22, 0.58], ...hollow(0.55, 0.71, 0.23, 0.13), [0.22, 0.84]]];
  const OUTLINES = {
    A: [[[0, 0], [0.22, 0], [0.3, 0.24], [0.7, 0.24], [0.78, 0], [1, 0], [0.62, 1], [0.38, 1]],
      [[0.36, 0.41], [0.5, 0.83], [0.64, 0.41]]],
    B: [[[0, 0], [0, 1], ...bow(0.55, 0.74, 0.4, 0.26), ...bow(0.55, 0.27, 0.45, 0.27)],
      [[0.22, 0.6], ...hollow(0.53, 0.72, 0.2, 0.12), [0.22, 0.84]], [[0.22, 0.16], ...hollow(0.54, 0.3, 0.24, 0.14), [0.22, 0.44]]],
    C: [[...arc(0.5, 0.5, 38, 322), ...arc(0.28, 0.34, 318, 42)]],
    D: [[[0, 0], [0, 1], ...bow(0.45, 0.5, 0.55, 0.5)], [[0.22, 0.16], ...hollow(0.45, 0.5, 0.33, 0.34), [0.22, 0.84]]],
    G: [[...arc(0.5, 0.5, 38, 318), [0.98, 0.24], [0.98, 0.54], [0.52, 0.54], [0.52, 0.38], [0.77, 0.38], [0.77, 0.27],
      ...arc(0.28, 0.34, 318, 42)]],
    O: RING,
    P,
    Q: [...RING, [[0.5, 0.36], [0.7, 0.36], [1, 0], [0.76, 0]]],
    R: [...P, [[0.4, 0.48], [0.64, 0.48], [1, 0], [0.75, 0]]],
    T: [[[0, 1], [0, 0.83], [0.39, 0.83], [0.39, 0], [0.61, 0], [0.61, 0.83], [1, 0.83], [1, 1]]],
  };
  // Other letters are strokes along these points, in percent.
  const STROKES = {
    E: "100,100 0,100 0,0 100,0|0,52 85,52", F: "100,100 0,100 0,0|0,52 85,52", H: "0,0 0,100|100,0 100,100|0,50 100,50",
    I: "50,0 50,100", J: "100,100 100,28 95,14 85,5 70,0 35,0 20,5 8,14 2,28", K: "0,0 0,100|100,100 0,42|25,58 100,0",
    L: "0,100 0,0 100,0", M: "0,0 0,100 50,35 100,100 100,0", N: "0,0 0,100 100,0 100,100", V: "0,100 50,0 100,100",
    S: "98,80 90,92 75,100 25,100 8,93 0,82 0,68 8,58 25,52 75,48 92,42 100,32 100,18 92,7 75,0 25,0 10,8 2,20",
    U: "0,100 0,28 5,14 15,5 30,0 70,0 85,5 95,14 100,28 100,100", X: "0,0 100,100|0,100 100,0", W: "0,100 25,0 50,80 75,0 100,100",
    Y: "0,100 50,50 100,100|50,50 50,0", Z: "0,100 100,100 0,0 100,0", "-": "0,50 100,50",
  };
  const thick = (text) => {
    const half = 0.1, shapes = [];
    for (const line of text.split("|")) {
      const points = line.split(" ").map((p) => p.split(",").map((v) => half + (v / 100) * (1 - 2 * half)));
      // Square ends and corners; where a stroke bends a little, a disc fills the joint.
      const bends = (i) => {
        if (i === 0 || i === points.length - 1) return false;
        const [u, v] = [0, 1].map((k) => [points[i + k][0] - points[i + k - 1][0], points[i + k][1] - points[i + k - 1][1]]);
        return Math.abs(Math.atan2(u[0] * v[1] - u[1] * v[0], u[0] * v[0] + u[1] * v[1])) < Math.PI / 3;
      };
      for (let i = 0; i + 1 < points.length; i++) {
        const [[x0, y0], [x1, y1]] = [points[i], points[i + 1]], size = Math.hypot(x1 - x0, y1 - y0);
        const u = ((x1 - x0) / size) * half, v = ((y1 - y0) / size) * half, [a, b] = [bends(i) ? 0 : 1, bends(i + 1) ? 0 : 1];
        shapes.push([[x0 - a * u + v, y0 - a * v - u], [x1 + b * u + v, y1 + b * v - u], [x1 + b * u - v, y1 + b * v + u],
          [x0 - a * u - v, y0 - a * v + u]].map((p) => p.map((value) => Math.min(Math.max(value, 0), 1))));
        if (bends(i)) shapes.push(arc(half, half, 0, 360, x0, y0));
      }
    }
    return shapes;
  };
  const GLYPHS = [...LETTERS].map((letter) =>
    OUTLINES[letter] || thick(STROKES[letter.toUpperCase()] || "0,0 0,100 100,100 100,0 0,0"));
  const placed = (shapes, x, y, width, height) => {
    let path = "";
    for (const shape of shapes) {
      for (let i = 0; i < shape.length; i++)
        path += (i ? "L" : "M") + Math.round((x + shape[i][0] * width) * 10) / 10 + " " +
          Math.round((y - shape[i][1] * height) * 10) / 10;
      path += "Z";
    }
    return path;
  };
  const information = (row) => {
    let bits = Math.log2(row.length);
    for (const f of row) if (f > 0) bits += f * Math.log2(f);
    return Math.max(bits, 0);
  };
  // Stacks as [position, letter, bottom, height] in bits, the most frequent letter on top.
  const stacks = (rows, from, to) => {
    const found = [];
    for (let p = from; p < to; p++) {
      const bits = information(rows(p));
      let floor = 0;
      for (const [f, b] of rows(p).map((value, i) => [value, i]).sort((a, c) => a[0] - c[0])) {
        if (f * bits >= SMALLEST_BITS) found.push([p, b, floor, f * bits]);
        floor += f * bits;
      }
    }
    return found;
  };
  const letterPaths = (found, x, y, width, pale, colors) => {
    const paths = new Map();
    for (const [p, b, floor, height] of found) {
      const key = b * 2 + (pale(p) ? 1 : 0);
      const text = placed(GLYPHS[b], x(p) + 0.03 * width, y(floor), 0.94 * width, y(floor) - y(floor + height));
      paths.set(key, (paths.get(key) || "") + text);
    }
    return [...paths].map(([key, d]) =>
      draw("path", { d, fill: colors.of(COLORS[key >> 1]), "fill-opacity": key & 1 ? 0.35 : null }));
  };

  // ---- the packed numbers of an anchor
  const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const unpack = async (text) => {
    const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const size = new DataView(bytes.buffer).getUint32(0, true);
    const detail = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)));
    const planes = {};
    let from = 4 + size;
    for (const [name, length] of detail.planes) planes[name] = bytes.subarray(from, (from += length));
    const count = LETTERS.length, length = detail.tokens.length, rungs = detail.beta.length;
    detail.reference = detail.legs ? rungs : null; // behind the rungs: the letters of the reference, which have no errors
    const frequencies = new Float32Array((rungs + (detail.legs ? 1 : 0)) * length * count);
    for (let i = 0, j = 0; i < frequencies.length; i += count) {
      let rest = STEPS;
      for (let b = 0; b + 1 < count; b++, j++) {
        const level = planes.frequency_high[j] * 256 + planes.frequency_low[j];
        frequencies[i + b] = level / STEPS;
        rest -= level;
      }
      frequencies[i + count - 1] = Math.max(rest, 0) / STEPS;
    }
    const at = (k, p) => (k * length + p) * count;
    detail.length = length;
    detail.row = (k, p) => Array.from(frequencies.subarray(at(k, p), at(k, p) + count));
    const value = (plane, k, p, b) => plane[at(k, p) + b];
    detail.error = (k, p, b) => {
      if (k === detail.reference) return 0; // it is drawn exactly
      const level = value(planes.error, k, p, b);
      return level === 0 ? null : level === 1 ? 0 : LEAST_ERROR ** (1 - (level - 2) / ERROR_LEVELS);
    };
    detail.rhat = (k, p, b) => {
      if (k === detail.reference) return null;
      const level = value(planes.rhat, k, p, b);
      return level === 0 ? null : level === 255 ? Infinity : RHAT_FROM + RHAT_SCALE * (Math.exp((level - 1) / RHAT_LEVELS) - 1);
    };
    detail.ess = (k, p, b) => {
      if (k === detail.reference) return null;
      const level = value(planes.ess, k, p, b);
      return level === 0 ? null : level === 1 ? 0 : Math.exp((level - 2) / ESS_LEVELS);
    };
    for (const track of detail.tracks) {
      const [high, low] = [planes[`${track.name}_high`], planes[`${track.name}_low`]];
      const numbers = Array.from(high, (h, i) => {
        const level = h * 256 + low[i];
        return level === UNKNOWN_LEVEL ? null : track.low + level * track.step;
      });
      [track.values, track.errors] = [numbers.slice(0, length), numbers.slice(length)];
    }
    return detail;
  };

  // ---- files for the reader
  const fileName = (name, end) => name.replace(/[^A-Za-z0-9._-]+/g, "_").slice(0, 60) + end;
  const save = (name, blob) => {
    const link = make("a", { href: URL.createObjectURL(blob), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const saveText = (name, lines) =>
    save(name, new Blob([lines.map((cells) =>
      cells.map((cell) => String(cell ?? "").replace(/\s+/g, " ").trim()).join("\t")).join("\n") + "\n"], { type: "text/tab-separated-values" }));
  const svgText = (svg) => new XMLSerializer().serializeToString(svg);
  const savePng = (name, svg) => {
    const image = new Image(), scale = 3;
    image.onload = () => {
      const canvas = make("canvas", { width: svg.getAttribute("width") * scale, height: svg.getAttribute("height") * scale });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(name, blob), "image/png");
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svgText(svg));
  };

  // ---- axes
  const ticksOf = (low, high, wanted) => {
    const raw = Math.max(high - low, 1e-12) / wanted, power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
    const ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
    return ticks;
  };
  const text = (x, y, words, colors, attributes) =>
    draw("text", { x, y, fill: colors.soft, "font-size": 11, "font-family": "system-ui, sans-serif", ...attributes }, words);
  const line = (x1, y1, x2, y2, stroke, attributes) => draw("line", { x1, y1, x2, y2, stroke, ...attributes });

  //= The logo and the tracks below it, as one SVG.
  const logoPicture = (view, width, colors) => {
    const { detail, rung, from, to } = view;
    const step = (width - LEFT - RIGHT) / (to - from), x = (p) => LEFT + (p - from) * step;
    const top = 8, floor = top + TALL, high = view.high(), y = (bits) => floor - (bits / high) * TALL, parts = [];
    for (const bits of ticksOf(0, high, 3)) {
      parts.push(line(LEFT, y(bits), width - RIGHT, y(bits), colors.line));
      parts.push(text(LEFT - 6, y(bits) + 4, shown(bits, 2), colors, { "text-anchor": "end" }));
    }
    parts.push(text(12, top + TALL / 2, "bits", colors, { transform: `rotate(-90 12 ${top + TALL / 2})`, "text-anchor": "middle" }));
    const pale = (p) => [...LETTERS].some((_, b) => !(detail.error(rung, p, b) <= UNSURE) || detail.error(rung, p, b) == null);
    parts.push(...letterPaths(stacks((p) => detail.row(rung, p), from, to), x, y, step, pale, colors));
    let below = floor + 4;
    if (step >= LEGIBLE) {
      const size = Math.min(step * 1.25, 12);
      for (let p = from; p < to; p++)
        parts.push(text(x(p + 0.5), below + 10, LETTERS[detail.tokens[p]], colors, { "text-anchor": "middle", "font-size": size }));
      below += 14;
    }
    const every = ticksOf(0, to - from, Math.min(12, (width - LEFT) / 60))[1] || 1;
    for (let p = Math.ceil(from / every) * every; p < to; p += every) {
      parts.push(line(x(p + 0.5), below, x(p + 0.5), below + 4, colors.soft));
      parts.push(text(x(p + 0.5), below + 15, String(p), colors, { "text-anchor": "middle" }));
    }
    below += 24;
    if (detail.sites.length) {
      for (const [start, stop, redundant] of detail.sites) {
        const [a, b] = [Math.max(start, from), Math.min(stop, to)];
        if (a < b) parts.push(draw("rect", { x: x(a), y: below, width: x(b) - x(a), height: 8, rx: 2, class: "site",
          fill: colors.of(redundant ? ORANGE : GRAY) }));
      }
      parts.push(text(LEFT - 6, below + 8, "sites", colors, { "text-anchor": "end" }));
      below += 16;
    }
    below = wherePart(view, parts, x, step, below, width, colors);
    below = arcsPart(view, parts, x, below, width, colors);
    return draw("svg", { xmlns: "http://www.w3.org/2000/svg", width, height: below, viewBox: `0 0 ${width} ${below}`, "aria-hidden": "true" }, ...parts);
  };

  const wherePart = ({ detail, from, to }, parts, x, step, begin, width, colors) => {
    const tracks = detail.tracks.filter((track) => track.values.slice(from, to).some(known));
    if (!tracks.length) return begin;
    const height = 64, all = tracks.flatMap((track) => track.values.filter(known));
    const low = Math.min(0, ...all), high = Math.max(...all, low + 1e-9), top = begin + 6;
    const y = (value) => top + height - ((value - low) / (high - low)) * height;
    for (const tick of ticksOf(low, high, 2)) {
      parts.push(line(LEFT, y(tick), width - RIGHT, y(tick), colors.line));
      parts.push(text(LEFT - 6, y(tick) + 4, shown(tick, 3), colors, { "text-anchor": "end" }));
    }
    parts.push(text(12, top + height / 2, "E", colors, { "text-anchor": "middle" }));
    const band = (value, error) => [y(value - (error || 0)), y(value + (error || 0))];
    for (const { name, values, errors } of tracks) {
      const color = colors.of(name === "necessity" ? GRAY : BLUE);
      let path = "";
      for (let p = from; p < to; p++) {
        if (!known(values[p])) continue;
        const [bottom, above] = band(values[p], errors[p]), middle = x(p + 0.5), at = y(values[p]);
        if (name === "necessity") {
          parts.push(draw("rect", { x: x(p) + step * 0.1, y: Math.min(at, y(0)), width: step * 0.8,
            height: Math.abs(at - y(0)), fill: color, "fill-opacity": 0.7 }));
          if (step >= 4) parts.push(line(middle, bottom, middle, above, colors.ink));
        } else {
          path += (path ? "L" : "M") + middle.toFixed(1) + " " + at.toFixed(1);
          parts.push(draw("rect", { x: x(p), y: above, width: step, height: Math.max(bottom - above, 0), fill: color, "fill-opacity": 0.2 }));
        }
      }
      if (path) parts.push(draw("path", { d: path, fill: "none", stroke: color, "stroke-width": 1.8 }));
    }
    let at = LEFT + 4;
    for (const { name, width: wide } of tracks) {
      parts.push(draw("rect", { x: at, y: top + height + 7, width: 9, height: 9, fill: colors.of(name === "necessity" ? GRAY : BLUE) }));
      parts.push(text(at + 13, top + height + 15, width < 500 ? name : `${name} of windows of ${wide}`, colors));
      at += width < 500 ? 90 : 165;
    }
    return top + height + 24;
  };

  const arcsPart = ({ detail, from, to }, parts, x, begin, width, colors) => {
    const inside = detail.couplings.filter(([i, j]) => i >= from && j < to);
    if (!inside.length) return begin;
    const most = Math.max(...inside.map((pair) => pair[2])), widest = Math.max(...inside.map(([i, j]) => j - i));
    const top = begin + 14, height = 54;
    parts.push(text(LEFT + 4, begin + 10, "coupled positions (thick: many bits)", colors));
    for (const [i, j, bits, error, letters] of inside) {
      const [a, b] = [x(i + 0.5), x(j + 0.5)], deep = top + 2 * (8 + ((j - i) / widest) * (height - 8));
      parts.push(draw("path", { class: "arc", d: `M${a} ${top}Q${(a + b) / 2} ${deep} ${b} ${top}`, fill: "none",
        stroke: colors.of(PURPLE), "stroke-width": 1 + (3 * bits) / most, "stroke-opacity": 0.9 },
        draw("title", {}, `${i} and ${j}: ${withError(bits, error, 3)} bits; most favored together: ${letters}`)));
    }
    return top + height + 8;
  };

  // ---- curves along the rungs
  const curve = (heading, caption, lines, detail, width, colors, choose) => {
    const rungs = detail.beta.length, height = 150, left = 44, foot = 30, right = 10, top = 8;
    const values = lines.flatMap((l) => l.values.flatMap((v, i) => known(v) ? [v - (l.errors?.[i] || 0), v + (l.errors?.[i] || 0)] : []));
    if (!values.length) return null;
    let [low, high] = [Math.min(...(lines[0].fromZero === false ? [] : [0]), ...values), Math.max(...values)];
    if (!(high > low)) high = low + 1;
    const byRung = !lines[0].places, place = (l, i) => (byRung ? i + (l.offset || 0) : l.places[i]);
    const places = lines.flatMap((l) => l.values.map((_, i) => place(l, i)));
    const [first, last] = byRung ? [0, Math.max(rungs - 1, ...places)] : [Math.min(...places), Math.max(...places)];
    const x = (i) => left + ((i - first) / Math.max(last - first, 1e-9)) * (width - left - right);
    const y = (v) => top + (1 - (v - low) / (high - low)) * (height - top - foot);
    const parts = [];
    for (const tick of ticksOf(low, high, 4)) {
      parts.push(line(left, y(tick), width - right, y(tick), colors.line));
      parts.push(text(left - 5, y(tick) + 4, shown(tick, 3), colors, { "text-anchor": "end" }));
    }
    const marks = byRung ? detail.beta.map((beta, i) => [i, shown(beta, 2)]) : ticksOf(first, last, 4).map((v) => [v, shown(v, 2)]);
    const skip = byRung ? Math.ceil(marks.length / Math.max(2, Math.floor((width - left) / 42))) : 1;
    marks.forEach(([at, words], i) => {
      if ((marks.length - 1 - i) % skip === 0) parts.push(text(x(at), height - 16, words, colors, { "text-anchor": "middle", "font-size": 10 }));
    });
    const beyond = byRung && last > rungs - 1; // the second leg, which ends at the reference
    if (beyond) parts.push(text(width - 2, height - 16, "reference", colors, { "text-anchor": "end", "font-size": 10 }));
    parts.push(text((left + width - right) / 2, height - 3, byRung ? "β of the rung" : "distance E", colors, { "text-anchor": "middle", "font-size": 10 }));
    for (const l of lines) {
      const { values: v, errors, color, hollow } = l;
      const points = v.map((value, i) => [x(place(l, i)), value, errors?.[i]]).filter((p) => known(p[1]));
      const d = points.map(([px, value], i) => (i ? "L" : "M") + px.toFixed(1) + " " + y(value).toFixed(1)).join("");
      parts.push(draw("path", { d, fill: "none", stroke: colors.of(color), "stroke-width": 1.6, "stroke-dasharray": hollow ? "4 3" : null }));
      for (const [px, value, error] of points) {
        if (known(error)) parts.push(line(px, y(value - error), px, y(value + error), colors.of(color), { "stroke-width": 1.2 }));
        if (points.length < 40) parts.push(draw("circle", { cx: px, cy: y(value), r: 2.6, fill: hollow ? colors.paper : colors.of(color), stroke: colors.of(color) }));
      }
    }
    const marker = byRung ? line(0, top, 0, height - foot, colors.ink, { "stroke-width": 1, "stroke-opacity": 0.6 }) : null;
    const svg = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${heading}. ${caption}` }, marker, ...parts);
    if (byRung) svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect(), at = ((event.clientX - box.left) / box.width) * width;
      const found = Math.round(first + ((at - left) / (width - left - right)) * (last - first));
      choose(beyond && found > rungs - 1 && detail.reference !== null ? detail.reference : Math.min(Math.max(found, 0), rungs - 1));
    });
    const figure = make("figure", { class: "curve" }, make("figcaption", {}, make("strong", {}, heading), ` ${caption}`), svg);
    const mark = (k) => {
      if (!marker) return;
      const place = k < rungs ? k : beyond ? last : null; // the other curves do not reach the reference
      put(marker, { x1: x(place ?? 0), x2: x(place ?? 0), visibility: place === null ? "hidden" : "visible" }, []);
    };
    return { figure, mark };
  };
  const twice = (errors) => errors?.map((e) => (known(e) ? 2 * e : null));
  const curvesOf = (detail, width, colors, choose) => {
    const rungs = detail.beta.length, made = [];
    const add = (...given) => made.push(curve(...given, detail, width, colors, choose));
    if (rungs > 1) {
      add("Mean energy E", "Solid: chains from the background, ± 2 standard errors. Dashed: chains that started at the anchor; if the two differ, at least one is not in equilibrium.",
        [{ values: detail.energy, errors: twice(detail.energy_error), color: BLUE },
          { values: detail.anchor_start, errors: twice(detail.anchor_start_error), color: ORANGE, hollow: true }]);
      add("Information", "of all positions, in bits, ± an upper bound of 1 standard error.", [{ values: detail.bits, errors: detail.bits_error, color: GREEN }]);
      if (detail.entropy) add("Entropy", "of the draws in bits, ± 2 standard errors.", [{ values: detail.entropy, errors: twice(detail.entropy_error), color: BLUE, fromZero: false }]);
      if (detail.heat) add("Heat capacity", "± 2 standard errors. At a peak, the draws change from arbitrary sequences to equal ones.", [{ values: detail.heat, errors: twice(detail.heat_error), color: RED }]);
      if (detail.swap.length) {
        const legs = [{ values: detail.swap, color: GREEN, offset: 0.5 }];
        if (detail.reference_swap.length) legs.push({ values: detail.reference_swap, color: ORANGE, hollow: true, offset: rungs - 0.5 });
        add("Acceptance of swaps", `between neighboring rungs${legs.length > 1 ? "; dashed: on the second leg, from the target on to the reference" : ""}.`, legs);
      }
    }
    if (detail.within?.length) add("Number of sequences", "log10 of the number of sequences within a distance of the anchor, ± 2 standard errors.",
      [{ values: detail.log10_number, errors: twice(detail.log10_number_error), places: detail.within, color: BLUE, fromZero: false }]);
    return made.filter(Boolean);
  };

  // ---- one anchor
  const regionOf = (section) => {
    const { chromosome, start, end, strand } = section.dataset;
    return chromosome === undefined ? null : { chromosome, start: Number(start), end: Number(end), strand };
  };
  const genomic = (region, p) => (region.strand === "-" ? region.end - 1 - p : region.start + p);

  const informative = (detail, rung) => {
    let [best, start, total, window] = [0, 0, 0, null];
    for (let p = 0; p < detail.length; p++) {
      if (total <= 0) [start, total] = [p, 0];
      total += information(detail.row(rung, p)) - 0.25; // the published threshold of an informative position, in bits
      if (total > best) [best, window] = [total, [start, p + 1]];
    }
    return window;
  };

  const explore = (section, place, detail) => {
    const name = section.querySelector("h3").textContent, region = regionOf(section), target = detail.beta.length - 1;
    const highest = Math.max(0.05, ...Array.from({ length: detail.length }, (_, p) => information(detail.row(target, p))));
    const magnify = make("input", { type: "checkbox" });
    const view = { detail, rung: target, from: 0, to: detail.length, cursor: null, high: () => (magnify.checked ? highest : MOST_BITS) };
    let curves = [], width = 0, at = null;

    const slider = make("input", { type: "range", min: 0, max: target, step: 1, value: target, "aria-label": "β: rungs of the ladder" });
    const told = make("p", { class: "told" }), legs = detail.legs && make("p", { class: "soft legs" },
      make("strong", {}, detail.legs[0] ? "Both legs agree: " : "The legs do not agree: "),
      `${detail.legs[1]}. ` + (detail.legs[0] ? "" : "One end may not know a state that the other knows. "));
    const atReference = () => view.rung === detail.reference;
    const setRung = (k) => {
      view.rung = k;
      if (!atReference()) slider.value = k;
      for (const [place, one] of jumps) one.setAttribute("aria-pressed", String(place === k));
      redraw();
    };
    magnify.addEventListener("change", () => redraw());
    slider.addEventListener("input", () => setRung(Number(slider.value)));
    const jumps = [...detail.offered.filter((k) => k !== target).map((k) => [k, `β = ${shown(detail.beta[k])}`]),
      ...(target > 0 ? [[target, "target"]] : []), ...(detail.legs ? [[detail.reference, "reference"]] : [])]
      .map(([k, words]) => [k, button(words, () => setRung(k), { "aria-pressed": String(k === target) })]);
    const steps = make("div", { class: "tools" }, make("label", { class: "slider" }, "β ", slider), ...jumps.map(([, one]) => one));

    const logo = make("div", { class: "logo", tabindex: 0, role: "group" });
    const brush = make("div", { class: "brush", hidden: true }), tip = make("div", { class: "tip", hidden: true });
    const spoken = make("p", { class: "unseen", "aria-live": "polite" });
    const map = make("div", { class: "map", title: "The whole sequence. Drag to move the part that is shown." });
    const show = (from, to) => {
      const wide = Math.min(Math.max(Math.round(to - from), 5), detail.length);
      view.from = Math.min(Math.max(Math.round(from), 0), detail.length - wide);
      view.to = view.from + wide;
      redraw();
    };
    const zoom = (factor) => {
      const middle = view.cursor ?? (view.from + view.to) / 2, half = ((view.to - view.from) * factor) / 2;
      show(middle - half, middle + half);
    };
    const whole = () => show(0, detail.length);
    const letters = () => {
      const found = informative(detail, view.rung);
      if (found) show(found[0] - 4, found[1] + 4);
      else whole();
    };
    const rows = () => [
      ["position", ...(region ? ["chromosome", "genome_position"] : []), "letter", "frequency", "frequency_error", "rhat", "ess"],
      ...Array.from({ length: detail.length }, (_, p) => [...LETTERS].map((letter, b) => [
        p, ...(region ? [region.chromosome, genomic(region, p)] : []), letter, detail.row(view.rung, p)[b].toFixed(3),
        ...[detail.error, detail.rhat, detail.ess].map((of) => {
          const value = of(view.rung, p, b);
          return value == null || atReference() ? "" : Number(value.toPrecision(3));
        }),
      ])).flat(),
    ];
    const picture = () => logoPicture(view, Math.max(width, 300), LIGHT_THEME);
    const stem = () => `${name}_${atReference() ? "reference" : `beta-${detail.beta[view.rung]}`}`;
    const tools = make("div", { class: "tools" },
      button("whole sequence", whole), button("informative letters", letters), button("+", () => zoom(0.5), { "aria-label": "zoom in" }),
      button("−", () => zoom(2), { "aria-label": "zoom out" }), 
      make("label", {}, magnify, " magnify"), make("span", { class: "gap" }),
      button("SVG", () => save(fileName(stem(), ".svg"), new Blob([svgText(picture())], { type: "image/svg+xml" })), { "aria-label": "download SVG" }),
      button("PNG", () => savePng(fileName(stem(), ".png"), picture()), { "aria-label": "download PNG" }),
      button("TSV", () => saveText(fileName(stem(), ".tsv"), rows()), { "aria-label": "download TSV" }));
    const along = make("div", { class: "curves" });
    const about = make("details", { class: "soft" }, make("summary", {}, "What the slider goes over"), make("p", {},
      `The ${target + 1} rungs from β = ${shown(detail.beta[0])}${detail.beta[0] === 0 ? ", where the network has no influence," : ""} to the target, β = ${shown(detail.beta[target])}. Letters that matter most to the network appear at small β. ` +
      (detail.legs ? `Neighboring rungs swap their sequences. A second leg of ${detail.reference_swap.length} more rungs leads from the target on to the reference: the letters, each position by itself, of chains that stay at the anchor, mixed with a fifth of the background. It brings sequences to the target from the other end; its swaps are those beyond the target. Each leg gives log Z of the target by itself. If the two differ, one end does not know a state that the other knows, and the run has not converged. Rungs between target and reference have no logos. ` : "") +
      `The sum of the refused swaps, Λ, is ${shown(detail.barriers[0], 3)}${detail.reference_swap.length ? ` on the first leg and ${shown(detail.barriers[1], 3)} on the second` : ""}. ` +
      "In this page, frequencies are rounded to 0.001, errors to 5 %, R-hat to 4 % of its distance from 0.98, and ESS to 11 %. frequencies.npz has all digits."));
    place.replaceChildren(steps, told, ...(legs ? [legs] : []), make("div", { class: "drawing" }, logo, brush, tip), map, spoken, tools, along, about);
    place.insertBefore(make("p", { class: "soft hint" }, "Drag over the logo to zoom, double-click for the whole sequence. Arrow keys move along positions."), along);

    // -- what a position says
    const words = (p) => {
      const row = detail.row(view.rung, p), order = [...row.keys()].sort((a, b) => row[b] - row[a]);
      return order.filter((b, i) => i < 5).map((b) => [LETTERS[b], atReference() ? row[b].toFixed(3) : withError(row[b], detail.error(view.rung, p, b), 3),
        shown(detail.rhat(view.rung, p, b), 4), roughly(detail.ess(view.rung, p, b))]);
    };
    const heading = (p) => `position ${p}${region ? ` · ${region.chromosome}:${genomic(region, p).toLocaleString("en-US")}` : ""} · anchor ${LETTERS[detail.tokens[p]]} · ${information(detail.row(view.rung, p)).toFixed(2)} bits`;
    const mapped = (p) => detail.tracks.filter((t) => known(t.values[p])).map((t) => `${t.name} ${shown(t.values[p], 3)} ± ${shown(t.errors[p], 2)}`);
    const point = (p, spokenToo) => {
      view.cursor = p;
      tip.hidden = p == null;
      if (p == null) return;
      const step = (width - LEFT - RIGHT) / (view.to - view.from), left = LEFT + (p - view.from) * step;
      tip.replaceChildren(make("strong", {}, heading(p)), make("table", {},
        make("tr", {}, ...["", "frequency", "R-hat", "ESS"].map((label) => make("th", { scope: "col" }, label))),
        ...words(p).map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell))))), ...mapped(p).map((sentence) => make("div", {}, sentence)));
      // On the other side of the logo, where it does not hide the letters around the position.
      tip.style.left = `${left < width / 2 ? Math.max(width - tip.offsetWidth, 0) : 0}px`;
      logo.querySelector(".cursor")?.remove();
      logo.querySelector("svg").prepend(draw("rect", { class: "cursor", x: left, y: 8, width: step, height: TALL, fill: theme().soft, "fill-opacity": 0.18 }));
      if (spokenToo) spoken.textContent = [heading(p), ...words(p).map(([b, f, r, e]) => `${b} ${f}, R-hat ${r}, ESS ${e}`), ...mapped(p)].join("; ");
    };
    const positionAt = (event) => {
      const p = Math.floor(view.from + ((event.clientX - logo.getBoundingClientRect().left - LEFT) / (width - LEFT - RIGHT)) * (view.to - view.from));
      return p >= view.from && p < view.to ? p : null;
    };
    const leave = () => {
      point(null);
      logo.querySelector(".cursor")?.remove();
    };
    logo.addEventListener("pointermove", (event) => {
      if (at === null) return point(positionAt(event));
      const box = logo.getBoundingClientRect(), [a, b] = [at, event.clientX].sort((m, n) => m - n).map((v) => v - box.left);
      tip.hidden = true;
      brush.hidden = b - a < 5;
      brush.style.left = `${a}px`;
      brush.style.width = `${b - a}px`;
    });
    logo.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && positionAt(event) !== null && event.pointerType !== "touch") {
        at = event.clientX;
        logo.setPointerCapture(event.pointerId);
      }
    });
    const release = (event) => {
      if (at === null) return;
      const scale = (view.to - view.from) / (width - LEFT - RIGHT), left = logo.getBoundingClientRect().left + LEFT;
      const [a, b] = [at, event.clientX].sort((m, n) => m - n).map((v) => view.from + (v - left) * scale);
      const moved = Math.abs(event.clientX - at) >= 5;
      [at, brush.hidden] = [null, true];
      if (moved && event.type === "pointerup") show(Math.max(Math.floor(a), 0), Math.min(Math.ceil(b), detail.length));
    };
    logo.addEventListener("pointerup", release);
    logo.addEventListener("pointercancel", release);
    logo.addEventListener("pointerleave", () => at === null && leave());
    logo.addEventListener("dblclick", whole);
    logo.addEventListener("blur", leave);
    logo.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (move !== undefined) {
        const p = Math.min(Math.max((view.cursor ?? (move > 0 ? view.from - 1 : view.to)) + move, 0), detail.length - 1);
        view.cursor = p;
        if (p < view.from || p >= view.to) show(p - (view.to - view.from) / 2, p + (view.to - view.from) / 2);
        point(p, true);
      } else if (event.key === "+" || event.key === "=") zoom(0.5);
      else if (event.key === "-") zoom(2);
      else if (event.key === "0" || event.key === "Escape") whole();
      else return;
      event.preventDefault();
    });
    const slide = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = map.getBoundingClientRect(), wide = view.to - view.from;
      const p = ((event.clientX - box.left - LEFT) / (width - LEFT - RIGHT)) * detail.length;
      if (wide < detail.length) show(p - wide / 2, p + wide / 2);
    };
    map.addEventListener("pointerdown", slide);
    map.addEventListener("pointermove", slide);

    // -- drawing
    const redrawMap = (colors) => {
      const high = 24, step = (width - LEFT - RIGHT) / detail.length;
      let d = "";
      for (let p = 0; p < detail.length; p++) {
        const tall = (information(detail.row(view.rung, p)) / MOST_BITS) * high;
        if (tall > 0.3) d += `M${(LEFT + p * step).toFixed(1)} ${high}h${Math.max(step * 0.9, 0.6).toFixed(2)}v${(-tall).toFixed(1)}h${(-Math.max(step * 0.9, 0.6)).toFixed(2)}Z`;
      }
      map.replaceChildren(draw("svg", { width, height: high + 2, viewBox: `0 0 ${width} ${high + 2}`, "aria-hidden": "true" },
        draw("rect", { x: LEFT + view.from * step, y: 0, width: (view.to - view.from) * step, height: high, fill: colors.of(BLUE), "fill-opacity": 0.15, stroke: colors.of(BLUE), class: "window" }),
        draw("path", { d, fill: colors.soft }), line(LEFT, high + 0.5, width - RIGHT, high + 0.5, colors.line)));
    };
    const redraw = (everything) => {
      const colors = theme(), k = view.rung;
      const verdict = atReference() ? "Reference, the other end: the letters that chains at the anchor have, with a little of everything. Drawn exactly, each position by itself." : `β = ${shown(detail.beta[k])}${k === target ? " (target)" : ""}, rung ${k + 1} of ${target + 1}: ${withError(detail.bits[k], detail.bits_error[k], 1)} bits in total, ` +
        `E ${shown(detail.energy[k])} ± ${shown(detail.energy_error[k], 2)}, largest R-hat ${shown(detail.max_rhat[k])}, smallest ESS ${known(detail.min_ess[k]) ? Math.round(detail.min_ess[k]).toLocaleString("en-US") : "–"}`;
      told.textContent = verdict;
      if (!atReference()) slider.setAttribute("aria-valuetext", verdict);
      logo.setAttribute("aria-label", `Sequence logo of ${name}, positions ${view.from} to ${view.to - 1} at ${verdict}. Arrow keys read positions, plus and minus zoom.`);
      logo.replaceChildren(logoPicture(view, width, colors));
      redrawMap(colors);
      if (everything) {
        const columns = Math.max(1, Math.min(3, Math.floor(width / 300)));
        curves = curvesOf(detail, Math.floor((width - (columns - 1) * 16) / columns), colors, setRung);
        along.replaceChildren(...curves.map((c) => c.figure));
      }
      for (const c of curves) c.mark(k);
      if (view.cursor !== null && !tip.hidden) point(view.cursor);
    };
    const measure = () => {
      const now = Math.floor(place.clientWidth);
      if (now > 0 && now !== width) {
        const first = width === 0;
        width = now;
        // A sequence that is too long for letters to be read begins with its informative part.
        if (first && (width - LEFT - RIGHT) / detail.length < LEGIBLE * 0.75 && informative(detail, target)) {
          const [start, stop] = informative(detail, target), fit = (width - LEFT - RIGHT) / 12;
          const half = Math.max(stop - start + 8, Math.min(fit, detail.length)) / 2;
          show((start + stop) / 2 - half, (start + stop) / 2 + half);
        }
        redraw(true);
      }
    };
    new ResizeObserver(measure).observe(place);
    measure();
    return () => width && redraw(true);
  };

  // ---- all anchors
  const sections = [...document.querySelectorAll("section.anchor")];
  const table = document.getElementById("overview"), tools = document.getElementById("tools"), steps = document.getElementById("steps");
  const redraws = [], opened = new Set();
  const open = async (section) => {
    const place = section.querySelector(".explorer"), find = () => document.getElementById(`detail-${section.dataset.index}`);
    if (!place || opened.has(section)) return;
    opened.add(section);
    if (!find()) await new Promise((go) => addEventListener("DOMContentLoaded", go, { once: true })); // not read yet
    try {
      redraws.push(explore(section, place, await unpack(find().textContent)));
    } catch (error) {
      place.replaceChildren(make("p", { class: "outcome warning" }, typeof DecompressionStream === "undefined"
        ? "This browser is too old to show the logo: take one of 2023 or later." : `The logo cannot be drawn: ${error.message}`));
    }
  };

  const smallLogo = (cell) => {
    const levels = bytesOf(cell.dataset.frequencies), count = LETTERS.length, length = levels.length / count, step = 10, tall = 38;
    const words = cell.textContent.trim().replace(/\s+/g, " "), start = Number(cell.dataset.start), colors = theme();
    const row = (p) => {
      const numbers = Array.from(levels.subarray(p * count, (p + 1) * count)), total = numbers.reduce((a, b) => a + b, 0) || 1;
      return numbers.map((value) => value / total);
    };
    const y = (bits) => tall - (bits / MOST_BITS) * tall;
    cell.replaceChildren(draw("svg", { class: "small", width: length * step, height: tall, viewBox: `0 0 ${length * step} ${tall}`, role: "img", "aria-label": words },
      draw("title", {}, words), line(0, tall - 0.5, length * step, tall - 0.5, colors.line),
      ...letterPaths(stacks(row, 0, length), (p) => p * step, y, step, () => false, colors)), make("span", { class: "soft" }, `${start}–${start + length}`));
  };

  const choose = (index, focus) => {
    if (sections.length > ALL_SHOWN) sections.forEach((section, i) => (section.hidden = i !== index));
    open(sections[index]);
    for (const link of table.querySelectorAll("tbody a")) link.removeAttribute("aria-current");
    table.querySelector(`tr[data-index="${index}"] a`)?.setAttribute("aria-current", "true");
    const order = [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => Number(row.dataset.index));
    const place = order.indexOf(index);
    const go = (to, words) => button(words, () => {
      history.replaceState(null, "", `#anchor-${to}`);
      choose(to, true);
    }, { disabled: to === undefined });
    if (sections.length > ALL_SHOWN) {
      steps.hidden = false;
      steps.replaceChildren(go(order[place - 1], "← previous"), go(order[place + 1], "next →"),
        make("span", { class: "soft" }, place < 0 ? "" : `${place + 1} of ${order.length} in the table`));
    }
    if (focus) sections[index].querySelector("h3").focus({ preventScroll: true });
  };

  const overview = () => {
    const body = table.tBodies[0], rows = [...body.rows], status = make("span", { role: "status" });
    const search = make("input", { type: "search", placeholder: "name, region or letters", "aria-label": "search the anchors" });
    const failing = make("input", { type: "checkbox" }), bad = rows.filter((row) => row.classList.contains("warning")).length;
    const heads = [...table.tHead.rows[0].cells];
    const words = rows.map((row) => [...row.cells].filter((cell) => !cell.classList.contains("number"))
      .map((cell) => cell.textContent).join(" ").toLowerCase());
    const filter = () => {
      const wanted = search.value.trim().toLowerCase();
      rows.forEach((row, i) => (row.hidden = !words[i].includes(wanted) || (failing.checked && !row.classList.contains("warning"))));
      status.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} anchors`;
    };
    const order = make("select", { "aria-label": "sort by" }, make("option", { value: "" }, "as given"),
      ...heads.map((head, i) => make("option", { value: i }, head.textContent.trim())));
    const collator = new Intl.Collator("en", { numeric: true });
    let sorted = null, down = false;
    const key = (row, column) => {
      const cell = row.cells[column], given = cell.dataset.key;
      return given === undefined ? (cell.dataset.start ?? cell.textContent.trim()) : given;
    };
    const sort = (column, reverse) => {
      [sorted, down] = [column, reverse];
      const compare = (a, b) => {
        const [m, n] = [key(a, column), key(b, column)];
        if (m === "" || n === "") return (m === "") - (n === ""); // unknown values last, in both directions
        const numbers = m !== "" && n !== "" && Number.isFinite(+m) && Number.isFinite(+n);
        const difference = m === n ? 0 : numbers ? m - n : collator.compare(m.replace("inf", "9e99"), n.replace("inf", "9e99"));
        return down ? -difference : difference;
      };
      const order = column === null ? rows : [...rows].sort((a, b) => compare(a, b) || a.dataset.index - b.dataset.index);
      body.append(...order);
      heads.forEach((head, i) => put(head, { "aria-sort": i === column ? (down ? "descending" : "ascending") : "none" }, []));
    };
    heads.forEach((head, i) => {
      const act = button(head.textContent.trim(), () => {
        sort(i, sorted === i ? !down : false);
        order.value = String(i);
      });
      head.replaceChildren(act);
    });
    order.addEventListener("change", () => sort(order.value === "" ? null : Number(order.value), false));
    search.addEventListener("input", filter);
    failing.addEventListener("change", filter);
    const asRows = () => [heads.map((head) => head.textContent), ...[...body.rows].filter((row) => !row.hidden)
      .map((row) => [...row.cells].map((cell) => cell.querySelector("svg")?.getAttribute("aria-label") ?? (cell.classList.contains("number") && cell.dataset.key ? cell.dataset.key : cell.textContent)))];
    tools.append(search, make("label", {}, failing, ` not converged (${bad})`), make("label", { class: "narrow" }, "sort by ", order),
      status, make("span", { class: "gap" }), button("TSV", () => saveText(fileName(document.title, ".tsv"), asRows()), { "aria-label": "download the table as TSV" }));
    tools.hidden = false;
    filter();
    const small = [...table.querySelectorAll("td[data-frequencies]")];
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) {
        seen.unobserve(entry.target);
        smallLogo(entry.target);
        redraws.push(() => smallLogoAgain(entry.target));
      }
    }, { rootMargin: "200px" });
    const smallLogoAgain = (cell) => {
      cell.replaceChildren(cell.querySelector("svg").getAttribute("aria-label"));
      smallLogo(cell);
    };
    small.forEach((cell) => seen.observe(cell));
  };

  if (!table) return;
  document.documentElement.classList.add("script");
  overview();
  const redrawAll = () => redraws.forEach((redraw) => redraw && redraw());
  dark.addEventListener("change", redrawAll);
  printed.addEventListener("change", redrawAll);
  const named = () => {
    const index = Number((location.hash.match(/^#anchor-(\d+)$/) || [])[1]);
    return Number.isInteger(index) && index < sections.length ? index : null;
  };
  addEventListener("hashchange", () => {
    if (named() === null) return;
    choose(named());
    sections[named()].scrollIntoView();
  });
  if (sections.length <= ALL_SHOWN) sections.forEach((section) => open(section));
  choose(named() ?? 0);
  if (named() !== null) sections[named()].scrollIntoView();
})();
