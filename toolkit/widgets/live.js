// Draws the frames that Python sends, and sends back which button was pressed. Text from data goes in as text only.

const SIZE = { width: 720, height: 260, left: 44, right: 104, top: 10, bottom: 34 };
const NAMED = 15; // letters of a name that have room at a curve's end
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes, ...inner) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inner);
  return made;
}

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Puts parts in place only where they say something else, so that what is selected, focused or read out stays.
const filled = new WeakMap();
function fill(place, told, make) {
  const now = JSON.stringify(told);
  if (filled.get(place) === now) return;
  filled.set(place, now);
  place.replaceChildren(...make());
}

function scales(tasks) {
  const inner = { x: SIZE.width - SIZE.left - SIZE.right, y: SIZE.height - SIZE.top - SIZE.bottom };
  const last = Math.max(1, tasks - 1);
  return {
    x: (t) => SIZE.left + ((t - 1) / last) * inner.x,
    y: (score) => SIZE.top + (1 - Math.min(1, Math.max(0, score))) * inner.y,
  };
}

function axes(tasks, at, values, digits) {
  const drawn = [];
  for (const value of values) {
    drawn.push(shape("line", { x1: SIZE.left, x2: SIZE.width - SIZE.right, y1: at.y(value), y2: at.y(value), class: "grid" }));
    drawn.push(shape("text", { x: SIZE.left - 6, y: at.y(value) + 4, "text-anchor": "end" }, value.toFixed(digits)));
  }
  for (const t of new Set([1, Math.ceil(tasks / 2), tasks]))
    drawn.push(shape("text", { x: at.x(t), y: SIZE.height - SIZE.bottom + 16, "text-anchor": t === 1 ? "start" : "middle" }, `task ${t}`));
  return drawn;
}

// One curve: { name, points, look, lit }.
function curve(one, at) {
  const { ink, dash } = one.look;
  const drawn = [];
  const band = one.points.filter((point) => point[2] !== null && point[3] !== null);
  if (band.length > 1) {
    const upper = band.map((point) => `${at.x(point[0])},${at.y(point[3])}`);
    const lower = band.map((point) => `${at.x(point[0])},${at.y(point[2])}`).reverse();
    drawn.push(shape("polygon", { points: [...upper, ...lower].join(" "), fill: ink, opacity: one.lit ? 0.3 : 0.13 }));
  }
  const line = one.points.filter((point) => point[1] !== null).map((point) => `${at.x(point[0])},${at.y(point[1])}`);
  const path = shape("polyline", { points: line.join(" "), fill: "none", stroke: ink, "stroke-width": one.lit ? 4 : 2, "stroke-dasharray": dash });
  path.setAttribute("data-arm", one.name);
  path.append(shape("title", {}, one.name));
  return [...drawn, path];
}

// Names at the curves' ends, as far as there is room; the one that is pointed at, or has the focus, always.
function names(curves, at) {
  const ends = curves.flatMap((one) => {
    const last = one.points.filter((point) => point[1] !== null).at(-1);
    return last ? [{ one, x: at.x(last[0]) + 5, y: at.y(last[1]) + 4 }] : [];
  });
  ends.sort((a, b) => Number(b.one.lit) - Number(a.one.lit));
  const placed = [];
  for (const end of ends)
    if (placed.every((other) => Math.abs(other.y - end.y) >= 12 || Math.abs(other.x - end.x) > 7 * NAMED)) placed.push(end);
  return placed.map(({ one, x, y }) => {
    const short = one.name.length > NAMED ? `${one.name.slice(0, NAMED - 1)}…` : one.name;
    const name = shape("text", { x, y, class: one.lit ? "name lit" : "name" }, short);
    name.append(shape("title", {}, one.name));
    return name;
  });
}

function drawing(label, inner) {
  const made = shape("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": label });
  made.append(...inner);
  return made;
}

function figure(frame, hidden, lit) {
  const at = scales(frame.tasks);
  const curves = frame.arms
    .map((arm, place) => ({ name: arm.arm, points: arm.curve, look: frame.looks[place], lit: arm.arm === lit }))
    .filter((one) => !hidden.has(one.name));
  const under = shape("text", { x: SIZE.left, y: SIZE.height - 4 }, "mean score so far, over runs");
  return drawing(`Mean scores so far in study ${frame.study}: ${curves.map((one) => one.name).join(", ")}`, [
    ...axes(frame.tasks, at, [0, 0.25, 0.5, 0.75, 1], 2), ...curves.flatMap((one) => curve(one, at)), ...names(curves, at), under,
  ]);
}

// The scale is that of the means and at least a quarter: bands begin as wide as the range, and are cut off there.
function gapFigure(frame, hidden, lit) {
  const drawn = frame.gaps
    .map((gap, place) => ({ ...gap, name: `${gap.ahead} - ${gap.behind}`, look: frame.gap_looks[place], lit: gap.ahead === lit }))
    .filter((gap) => gap.points.length > 1 && !hidden.has(gap.ahead) && !hidden.has(gap.behind));
  if (!drawn.length) return [];
  const most = Math.max(0.25, ...drawn.flatMap((gap) => gap.points.map((point) => Math.min(1, 1.5 * Math.abs(point[1])))));
  const plain = scales(frame.tasks);
  const at = { x: plain.x, y: (value) => plain.y((Math.min(most, Math.max(-most, value)) + most) / (2 * most)) };
  const under = shape("text", { x: SIZE.left, y: SIZE.height - 4 }, "mean difference so far");
  const label = `Differences in study ${frame.study}: ${drawn.map((gap) => gap.name).join(", ")}`;
  const inner = [...axes(frame.tasks, at, [-most, 0, most], 2), ...drawn.flatMap((gap) => curve(gap, at)), ...names(drawn, at), under];
  const legend = element("div", { class: "legend" }, ...drawn.map((gap) => element("span", {}, key(gap.look), gap.name)));
  return [drawing(label, inner), legend, element("div", { class: "small" }, frame.gap_band)];
}

const number = (value, digits) => (value === null || value === undefined ? "n/a" : value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits }));

function key({ ink, dash }) {
  const made = shape("svg", { width: 28, height: 8, "aria-hidden": "true", class: "key" });
  made.append(shape("line", { x1: 0, x2: 28, y1: 4, y2: 4, stroke: ink, "stroke-width": 2, "stroke-dasharray": dash }));
  return made;
}

// The row of an arm, made once: its button keeps the focus while frames come.
function row(arm, look, baseline, press, point) {
  const toggle = element("button", { type: "button", class: "arm", title: "hide or show its curve" }, key(look), arm.arm);
  toggle.setAttribute("aria-label", `curve of ${arm.arm}`);
  toggle.addEventListener("click", () => press(arm.arm));
  const bar = element("progress", { "aria-label": `progress of ${arm.arm}` });
  const count = element("span", {});
  const cells = Array.from({ length: 6 }, () => element("td", {}));
  const first = element("td", {}, toggle, ...(baseline ? [element("span", { class: "small" }, " baseline")] : []));
  const made = element("tr", { "data-arm": arm.arm }, first, element("td", {}, bar, " ", count), ...cells);
  for (const [event, name] of [["mouseenter", arm.arm], ["mouseleave", ""], ["focusin", arm.arm], ["focusout", ""]])
    made.addEventListener(event, () => point(name));
  const update = (now, left, shown) => {
    toggle.setAttribute("aria-pressed", String(shown));
    made.dataset.done = now.done;
    Object.assign(bar, { max: Math.max(1, now.total), value: now.done });
    count.textContent = `${number(now.done, 0)} / ${number(now.total, 0)}`;
    const told = [`${now.finished} / ${now.runs}`, number(now.score, 3), number(now.tokens, 0), number(now.dollars, 2), number(now.failed, 0), left];
    told.forEach((text, place) => { if (cells[place].textContent !== text) cells[place].textContent = text; });
  };
  return { made, update };
}

function headed(heads, body) {
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads.map((name) => element("th", { scope: "col" }, name)))), body);
}

function armTable(press, point) {
  const body = element("tbody", {});
  const rows = new Map();
  const update = (frame, hidden) => {
    fill(body, [frame.arms.map((arm) => arm.arm), frame.looks, frame.baseline], () => {
      rows.clear();
      frame.arms.forEach((arm, place) => rows.set(arm.arm, row(arm, frame.looks[place], arm.arm === frame.baseline, press, point)));
      return [...rows.values()].map((one) => one.made);
    });
    frame.arms.forEach((arm, place) => rows.get(arm.arm).update(arm, frame.left[place], !hidden.has(arm.arm)));
  };
  return { made: headed(["arm", "episodes", "runs finished", "score so far", "tokens", "$", "no usable answer", "time left"], body), update };
}

function bars(frame) {
  return frame.spent.map((one) => {
    const bar = element("progress", { max: one.limit, value: one.spent === null ? 0 : Math.min(one.spent, one.limit), "aria-label": `budget: ${one.text}` });
    return element("div", { class: "spent" }, bar, ` ${one.text}`);
  });
}

function latest(frame) {
  const rows = frame.latest.map((one) =>
    element("tr", {}, ...[one.arm, one.seed, one.t, one.score === null ? "n/a" : String(one.score), number(one.tokens, 0), one.task, one.answer].map((text) => element("td", {}, String(text)))));
  return rows.length ? [headed(["arm", "seed", "after task", "score", "tokens", "task", "answer"], element("tbody", {}, ...rows))] : [];
}

function buttons(model) {
  const made = {};
  for (const [command, label] of [["pause", "Pause"], ["resume", "Go on"], ["stop", "Stop"]]) {
    made[command] = element("button", { type: "button", "data-command": command }, label);
    made[command].addEventListener("click", () => model.send({ command }));
  }
  return made;
}

function render({ model, el }) {
  const press = buttons(model);
  const state = element("span", { class: "state", role: "status", "aria-live": "polite" });
  const title = element("strong", {});
  let lit = "";
  const hidden = () => new Set(model.get("hidden"));
  const toggled = (arm) => {
    const now = hidden();
    if (!now.delete(arm)) now.add(arm);
    model.set("hidden", [...now]);
    model.save_changes();
  };
  const pointed = (arm) => { lit = arm; curves(); };
  const arms = armTable(toggled, pointed);
  const [above, spent, wrong, band, below, last] = ["", "", "wrong", "small", "", "latest"].map((name) => element("div", { class: name }));
  wrong.setAttribute("role", "alert");
  const recent = element("details", { open: "" }, element("summary", {}, "latest episodes"), last);
  const root = element("div", { class: "toolkit-live" }, element("div", { class: "head" }, title, state, press.pause, press.resume, press.stop), above, arms.made, spent, wrong, band, below, recent);
  const curves = () => {
    const frame = model.get("frame");
    above.replaceChildren(figure(frame, hidden(), lit));
    below.replaceChildren(...gapFigure(frame, hidden(), lit));
  };
  const draw = () => {
    const frame = model.get("frame");
    if (!frame || !frame.arms) return;
    title.textContent = frame.study;
    if (state.textContent !== frame.state) state.textContent = frame.state;
    press.pause.disabled = frame.state !== "running";
    press.resume.disabled = !["paused", "stopped", "failed"].includes(frame.state);
    press.stop.disabled = !["running", "paused"].includes(frame.state);
    curves();
    arms.update(frame, hidden());
    fill(spent, frame.spent, () => bars(frame));
    const told = [...frame.failures, ...(frame.damaged ? [`${frame.damaged} damaged lines in the logs`] : []), ...(frame.note ? [frame.note] : [])];
    fill(wrong, told, () => told.map((text) => element("div", {}, text)));
    fill(band, frame.band, () => [frame.band]);
    fill(last, frame.latest, () => latest(frame));
    recent.hidden = !frame.latest.length;
  };
  model.on("change:frame", draw);
  model.on("change:hidden", draw);
  draw();
  el.append(root);
  return () => {
    model.off("change:frame", draw);
    model.off("change:hidden", draw);
  };
}

export default { render };
