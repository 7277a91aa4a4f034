/* Candles with the trades on them: drag or arrow keys move, wheel (once it has the focus), pinch or
   + and - zoom. Far out, four candles at a time are drawn as one, as often as it takes. */
(function () {
  "use strict";
  const box = document.getElementById("market");
  if (!box) return;
  const canvas = box.querySelector("canvas"), out = box.querySelector("output");
  const choice = box.querySelector("select"), pen = canvas.getContext("2d");
  const symbols = JSON.parse(document.getElementById("candle-data").textContent);
  const LEFT = 8, RIGHT = 76, BOTTOM = 24, TOP = 8, CLOSEST = 12, MARKED = 700;
  let shown = null, from = 0, to = 1, pointer = null, asked = false, current = -1;

  async function unpack(text, rows, columns) {
    const coded = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    const bytes = Uint8Array.from(coded, function (one) { return one.charCodeAt(0); });
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const planes = new Uint8Array(await new Response(stream).arrayBuffer());
    const count = rows * columns, all = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      all[i] = planes[i] | planes[count + i] << 8 | planes[2 * count + i] << 16
        | planes[3 * count + i] << 24;
    }
    return Array.from({ length: columns }, function (_, i) {
      return all.subarray(i * rows, (i + 1) * rows);
    });
  }

  async function open(symbol) {
    const [time, start, body, above, below] = await unpack(symbol.candles, symbol.rows, 5);
    const n = symbol.rows;
    const base = { t: time, o: start, h: above, l: below, c: body, n: n, length: symbol.length };
    for (let i = 0, at = 0, close = 0; i < n; i++) {
      at = time[i] += at;
      const first = start[i] += close;
      close = body[i] += first;
      above[i] += Math.max(first, close);
      below[i] = Math.min(first, close) - below[i];
    }
    const levels = [base];
    while (levels[levels.length - 1].n > 500) levels.push(coarser(levels[levels.length - 1]));
    const trades = await unpack(symbol.trades, symbol.count, 6);
    const longest = trades[1].reduce(function (a, b) { return Math.max(a, b); }, 0);
    const end = base.t[n - 1] + symbol.length;
    return { symbol: symbol, levels: levels, trades: trades, longest: longest, end: end };
  }

  function coarser(fine) {
    const n = Math.ceil(fine.n / 4), make = function () { return new Int32Array(n); };
    const next = { t: make(), o: make(), h: make(), l: make(), c: make(), n: n, length: 4 * fine.length };
    for (let i = 0; i < n; i++) {
      const a = 4 * i, b = Math.min(a + 4, fine.n);
      let high = fine.h[a], low = fine.l[a];
      for (let k = a + 1; k < b; k++) {
        if (fine.h[k] > high) high = fine.h[k];
        if (fine.l[k] < low) low = fine.l[k];
      }
      next.t[i] = fine.t[a]; next.o[i] = fine.o[a]; next.c[i] = fine.c[b - 1];
      next.h[i] = high; next.l[i] = low;
    }
    return next;
  }

  function row(times, moment, count) {
    let a = 0, b = count;
    while (a < b) {
      const m = (a + b) >> 1;
      if (times[m] <= moment) a = m + 1; else b = m;
    }
    return a - 1;
  }

  const price = function (whole) {
    const digits = shown.symbol.decimals;
    const value = whole / Math.pow(10, digits);
    const told = Math.max(0, digits);
    return value.toLocaleString("en-US", { minimumFractionDigits: told, maximumFractionDigits: told });
  };
  const moment = function (seconds) {
    return new Date((shown.symbol.start + seconds) * 1000).toISOString().replace("T", " ");
  };
  const colour = function (name) { return getComputedStyle(box).getPropertyValue(name).trim(); };
  const wide = function () { return canvas.clientWidth - LEFT - RIGHT; };
  const across = function (t) { return LEFT + (t - from) / (to - from) * wide(); };
  const when = function (x) { return from + (x - LEFT) / wide() * (to - from); };

  function ask() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(function () { asked = false; draw(); });
  }

  function look(a, b) {
    const whole = shown.end, least = CLOSEST * shown.symbol.length;
    let span = Math.min(Math.max(b - a, Math.min(least, whole)), whole);
    a = (a + b - span) / 2;
    from = Math.min(Math.max(a, 0), whole - span);
    to = from + span;
    ask();
  }

  function zoom(by, x) {
    const at = when(x === undefined ? LEFT + wide() / 2 : x);
    const part = (at - from) / (to - from), span = (to - from) * by;
    look(at - part * span, at + (1 - part) * span);
  }

  function draw() {
    if (!shown || !canvas.clientWidth) return;
    const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
    canvas.width = Math.round(w * ratio); canvas.height = Math.round(h * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = colour("--ground"); pen.fillRect(0, 0, w, h);
    const perCandle = function (one) { return wide() * one.length / (to - from); };
    const level = shown.levels.find(function (one) { return perCandle(one) >= 2.5; })
      || shown.levels[shown.levels.length - 1];
    const first = Math.max(0, row(level.t, from, level.n)), last = row(level.t, to, level.n);
    let low = Infinity, high = -Infinity;
    for (let i = first; i <= last; i++) {
      if (level.l[i] < low) low = level.l[i];
      if (level.h[i] > high) high = level.h[i];
    }
    if (low > high) { low = 0; high = 1; }
    const room = (high - low) * 0.06 || 1;
    low -= room; high += room;
    const up = function (p) { return TOP + (high - p) / (high - low) * (h - TOP - BOTTOM); };
    grid(low, high, up, w, h);
    pen.save();
    pen.beginPath(); pen.rect(LEFT, 0, wide(), h - BOTTOM); pen.clip();
    candles(level, first, last, up);
    trades(up);
    pen.restore();
    tell(level, up, h);
  }

  function grid(low, high, up, w, h) {
    pen.strokeStyle = colour("--line"); pen.fillStyle = colour("--soft");
    pen.lineWidth = 0.6; pen.font = "12px system-ui, sans-serif"; pen.textAlign = "left";
    const power = Math.pow(10, Math.floor(Math.log10((high - low) / 6)));
    const step = Math.max(1, [1, 2, 5, 10].map(function (n) { return n * power; })
      .find(function (s) { return s >= (high - low) / 6; }));
    pen.beginPath();
    for (let p = Math.ceil(low / step) * step; p <= high; p += step) {
      pen.moveTo(LEFT, up(p)); pen.lineTo(w - RIGHT, up(p));
      pen.fillText(price(p), w - RIGHT + 6, up(p) + 4);
    }
    pen.textAlign = "center";
    for (const tick of ticks(Math.max(2, wide() / 110))) {
      const x = across(tick.at);
      pen.moveTo(x, TOP); pen.lineTo(x, h - BOTTOM);
      if (x > 24) pen.fillText(tick.text, x, h - 8);
    }
    pen.stroke();
  }

  function ticks(most) {
    const steps = [60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 432000, 864000];
    const every = steps.find(function (s) { return s >= (to - from) / most; });
    const offset = shown.symbol.start, found = [];
    if (every) {
      for (let t = Math.ceil((from + offset) / every) * every - offset; t <= to; t += every) {
        const text = moment(t), midnight = (t + offset) % 86400 === 0;
        found.push({ at: t, text: midnight ? text.slice(5, 10) : text.slice(11, 16) });
      }
      return found;
    }
    const first = new Date((from + offset) * 1000), month = 2629746;
    const step = [1, 3, 6, 12, 24, 60].find(function (n) { return n * month >= (to - from) / most; }) || 120;
    let count = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth() + 1) / step) * step;
    for (; ; count += step) {
      const t = Date.UTC(Math.floor(count / 12), count % 12) / 1000 - offset;
      if (t > to) return found;
      found.push({ at: t, text: moment(t).slice(0, 7) });
    }
  }

  function candles(level, first, last, up) {
    const size = Math.max(1, wide() * level.length / (to - from) * 0.7);
    for (const rising of [true, false]) {
      pen.strokeStyle = pen.fillStyle = colour(rising ? "--up" : "--down");
      pen.globalAlpha = 0.75; pen.lineWidth = 1;
      pen.beginPath();
      for (let i = first; i <= last; i++) {
        if (level.c[i] >= level.o[i] !== rising) continue;
        const x = across(level.t[i] + level.length / 2);
        pen.moveTo(x, up(level.h[i])); pen.lineTo(x, up(level.l[i]));
        const top = up(Math.max(level.o[i], level.c[i])), foot = up(Math.min(level.o[i], level.c[i]));
        if (size > 1.5) pen.rect(x - size / 2, top, size, Math.max(foot - top, 0.5));
      }
      pen.stroke();
      if (size > 1.5) pen.fill();
    }
    pen.globalAlpha = 1;
  }

  function inSight() {
    const [entry, held] = shown.trades, found = [];
    const start = row(entry, from - shown.longest - 1, shown.symbol.count) + 1;
    for (let i = Math.max(0, start); i < shown.symbol.count && entry[i] <= to; i++) {
      if (held[i] < 0 || entry[i] + held[i] >= from) found.push(i);
    }
    if (start > 0 && held[shown.symbol.count - 1] < 0 && !found.includes(shown.symbol.count - 1)) {
      found.push(shown.symbol.count - 1);
    }
    return found;
  }

  function trades(up) {
    const [entry, held, start, end, side, money] = shown.trades, found = inSight();
    const paint = { up: colour("--up"), down: colour("--down"), "1": colour("--c1"), "-1": colour("--c3") };
    if (found.length > MARKED) { strip(found); return; }
    for (const i of found) {
      const x = across(entry[i]), y = up(start[i]), won = money[i] > 0;
      pen.fillStyle = paint[side[i]];
      const d = side[i] > 0 ? 1 : -1;
      pen.beginPath();
      pen.moveTo(x, y); pen.lineTo(x - 5, y + 9 * d); pen.lineTo(x + 5, y + 9 * d); pen.closePath();
      pen.fill();
      if (held[i] < 0) continue;
      const z = across(entry[i] + held[i]), v = up(end[i]);
      pen.strokeStyle = won ? paint.up : paint.down;
      pen.lineWidth = i === current ? 3 : 1.5; pen.setLineDash([5, 3]);
      pen.beginPath(); pen.moveTo(x, y); pen.lineTo(z, v); pen.stroke();
      pen.setLineDash([]); pen.lineWidth = 2;
      pen.beginPath();
      if (won) pen.arc(z, v, 4, 0, 7);
      else { pen.moveTo(z - 4, v - 4); pen.lineTo(z + 4, v + 4); pen.moveTo(z + 4, v - 4); pen.lineTo(z - 4, v + 4); }
      pen.stroke();
    }
  }

  function strip(found) {
    const [entry, , , , , money] = shown.trades, foot = canvas.clientHeight - BOTTOM;
    for (const won of [true, false]) {
      pen.fillStyle = colour(won ? "--up" : "--down");
      for (const i of found) {
        if (money[i] > 0 === won) pen.fillRect(across(entry[i]) - 0.5, foot - (won ? 12 : 6), 1, 6);
      }
    }
  }

  function tradeText(i) {
    const [entry, held, start, end, side, money] = shown.trades;
    const text = "Trade " + (i + 1) + ": " + (side[i] > 0 ? "long" : "short") + " from "
      + moment(entry[i]).slice(0, 16) + " at " + price(start[i]);
    const made = (money[i] * shown.symbol.money).toFixed(2);
    if (held[i] < 0) return text + ", still open, " + made;
    return text + " to " + moment(entry[i] + held[i]).slice(0, 16) + " at " + price(end[i]) + ", profit " + made;
  }

  function tell(level, up, h) {
    let at = current;
    let text = "";
    if (pointer !== null && pointer >= LEFT && pointer <= LEFT + wide()) {
      const t = when(pointer), i = Math.max(0, row(level.t, t, level.n));
      pen.strokeStyle = colour("--soft"); pen.lineWidth = 0.6;
      pen.beginPath(); pen.moveTo(pointer, TOP); pen.lineTo(pointer, h - BOTTOM); pen.stroke();
      text = moment(level.t[i]).slice(0, 16) + "  open " + price(level.o[i]) + "  high "
        + price(level.h[i]) + "  low " + price(level.l[i]) + "  close " + price(level.c[i])
        + (level === shown.levels[0] ? "" : "  (" + Math.round(level.length / 60) + " min)");
      const [entry, held] = shown.trades;
      const under = inSight().find(function (k) {
        return entry[k] <= t && (held[k] < 0 || t <= entry[k] + held[k]);
      });
      if (under !== undefined) at = under;
    }
    const lines = [text, at >= 0 ? tradeText(at) : ""].filter(Boolean);
    out.textContent = lines.join(" \u00b7 ") || inSight().length + " of " + shown.symbol.count + " trades in sight";
  }

  function step(by) {
    const count = shown.symbol.count;
    if (!count) return;
    if (current < 0) {
      const next = row(shown.trades[0], from, count) + 1;
      current = by > 0 ? Math.min(next, count - 1) : Math.max(next - 1, 0);
    } else {
      current = Math.min(Math.max(current + by, 0), count - 1);
    }
    const [entry, held] = shown.trades;
    const until = held[current] < 0 ? shown.end : entry[current] + held[current];
    const span = Math.max((until - entry[current]) * 3, 60 * shown.symbol.length);
    look((entry[current] + until - span) / 2, (entry[current] + until + span) / 2);
  }

  const acts = {
    "in": function () { zoom(0.5); },
    "out": function () { zoom(2); },
    "all": function () { current = -1; look(0, shown.end); },
    "next": function () { step(1); },
    "previous": function () { step(-1); },
    "left": function () { const by = (to - from) / 5; look(from - by, to - by); },
    "right": function () { const by = (to - from) / 5; look(from + by, to + by); },
  };
  const keys = { "+": "in", "=": "in", "-": "out", Home: "all", n: "next", p: "previous", ArrowLeft: "left", ArrowRight: "right" };

  for (const button of box.querySelectorAll("button[data-act]")) {
    button.addEventListener("click", function () { if (shown) acts[button.dataset.act](); });
  }
  canvas.addEventListener("keydown", function (event) {
    const act = keys[event.key];
    if (!shown || !act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    acts[act]();
  });
  canvas.addEventListener("wheel", function (event) {
    if (!shown || document.activeElement !== canvas) return;
    event.preventDefault();
    zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), event.offsetX);
  }, { passive: false });

  const held = new Map();
  canvas.addEventListener("pointerdown", function (event) {
    held.set(event.pointerId, event.offsetX);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", function (event) {
    pointer = event.offsetX;
    if (!shown) return;
    const before = held.get(event.pointerId);
    if (before === undefined) { ask(); return; }
    if (held.size === 2) {
      const [one, two] = Array.from(held.values()), was = Math.abs(one - two);
      held.set(event.pointerId, event.offsetX);
      const [left, right] = Array.from(held.values()), is = Math.abs(left - right);
      if (was > 8 && is > 8) zoom(was / is, (left + right) / 2);
      return;
    }
    held.set(event.pointerId, event.offsetX);
    const moved = (before - event.offsetX) / wide() * (to - from);
    look(from + moved, to + moved);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, function (event) { held.delete(event.pointerId); });
  }
  canvas.addEventListener("pointerleave", function () { pointer = null; ask(); });

  async function choose() {
    const wanted = choice ? Number(choice.value) : 0;
    try {
      const opened = await open(symbols[wanted]);
      if (choice && Number(choice.value) !== wanted) return;
      shown = opened; current = -1;
      look(0, shown.end);
    } catch (error) {
      out.textContent = "This browser cannot unpack the candles: " + error.message;
    }
  }
  if (choice) choice.addEventListener("change", choose);
  new ResizeObserver(ask).observe(canvas);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ask);
  window.addEventListener("beforeprint", draw);
  choose();
})();
