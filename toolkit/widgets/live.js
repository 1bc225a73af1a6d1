// Draws the frames that Python sends, and sends back which button was pressed. Text from data goes in as text only.

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8b6a43"]; // after Okabe and Ito
const DASHES = ["", "6 2", "2 2", "8 3 2 3", "12 3", "4 2 1 2", "1 3"];
const SIZE = { width: 720, height: 260, left: 44, right: 12, top: 10, bottom: 34 };
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

function look(place) {
  const ink = place === 0 ? "currentColor" : COLOURS[(place - 1) % COLOURS.length];
  return { ink, dash: place === 0 ? "" : DASHES[place % DASHES.length] };
}

function scales(frame) {
  const inner = { x: SIZE.width - SIZE.left - SIZE.right, y: SIZE.height - SIZE.top - SIZE.bottom };
  const last = Math.max(1, frame.tasks - 1);
  return {
    x: (t) => SIZE.left + ((t - 1) / last) * inner.x,
    y: (score) => SIZE.top + (1 - Math.min(1, Math.max(0, score))) * inner.y,
  };
}

function axes(frame, at) {
  const drawn = [];
  const end = SIZE.width - SIZE.right;
  for (const score of [0, 0.25, 0.5, 0.75, 1]) {
    drawn.push(shape("line", { x1: SIZE.left, x2: end, y1: at.y(score), y2: at.y(score), class: "grid" }));
    drawn.push(shape("text", { x: SIZE.left - 6, y: at.y(score) + 4, "text-anchor": "end" }, String(score)));
  }
  const floor = SIZE.height - SIZE.bottom + 16;
  for (const t of new Set([1, Math.ceil(frame.tasks / 2), frame.tasks]))
    drawn.push(shape("text", { x: at.x(t), y: floor, "text-anchor": t === 1 ? "start" : t === frame.tasks ? "end" : "middle" }, `task ${t}`));
  drawn.push(shape("text", { x: SIZE.left, y: SIZE.height - 4 }, "mean score so far, over runs"));
  return drawn;
}

function curve(arm, place, at) {
  const { ink, dash } = look(place);
  const drawn = [];
  const band = arm.curve.filter((point) => point[2] !== null && point[3] !== null);
  if (band.length > 1) {
    const upper = band.map((point) => `${at.x(point[0])},${at.y(point[3])}`);
    const lower = band.map((point) => `${at.x(point[0])},${at.y(point[2])}`).reverse();
    drawn.push(shape("polygon", { points: [...upper, ...lower].join(" "), fill: ink, opacity: 0.13 }));
  }
  const line = arm.curve.filter((point) => point[1] !== null).map((point) => `${at.x(point[0])},${at.y(point[1])}`);
  const path = shape("polyline", { points: line.join(" "), fill: "none", stroke: ink, "stroke-width": 2, "stroke-dasharray": dash });
  path.setAttribute("data-arm", arm.arm);
  drawn.push(path);
  return drawn;
}

function figure(frame) {
  const at = scales(frame);
  const drawing = shape("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": `Curves of study ${frame.study}` });
  drawing.append(...axes(frame, at));
  frame.arms.forEach((arm, place) => drawing.append(...curve(arm, place, at)));
  return drawing;
}

// The scale is that of the means and at least a quarter: bands begin as wide as the range, and are cut off there.
function gapFigure(frame) {
  const drawn = frame.gaps.filter((gap) => gap.points.length > 1);
  if (!drawn.length) return [];
  const most = Math.max(0.25, ...drawn.flatMap((gap) => gap.points.map((point) => Math.min(1, 1.5 * Math.abs(point[1])))));
  const at = { x: scales(frame).x, y: (value) => scales(frame).y((Math.min(most, Math.max(-most, value)) + most) / (2 * most)) };
  const drawing = shape("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": `Differences in study ${frame.study}` });
  for (const value of [-most, 0, most]) {
    drawing.append(shape("line", { x1: SIZE.left, x2: SIZE.width - SIZE.right, y1: at.y(value), y2: at.y(value), class: "grid" }));
    drawing.append(shape("text", { x: SIZE.left - 6, y: at.y(value) + 4, "text-anchor": "end" }, value.toFixed(2)));
  }
  const places = frame.arms.map((arm) => arm.arm);
  for (const gap of drawn)
    drawing.append(...curve({ arm: `${gap.ahead} - ${gap.behind}`, curve: gap.points }, Math.max(1, places.indexOf(gap.ahead)), at));
  const names = drawn.map((gap) => `${gap.ahead} - ${gap.behind}`).join(", ");
  drawing.append(shape("text", { x: SIZE.left, y: SIZE.height - 4 }, `mean difference so far: ${names}`));
  return [drawing, element("div", { class: "small" }, frame.gap_band)];
}

const number = (value, digits) => (value === null || value === undefined ? "n/a" : value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits }));

function row(arm, place) {
  const { ink, dash } = look(place);
  const key = shape("svg", { width: 28, height: 8, "aria-hidden": "true", style: "display: inline-block; width: 28px; margin-right: 6px" });
  key.append(shape("line", { x1: 0, x2: 28, y1: 4, y2: 4, stroke: ink, "stroke-width": 2, "stroke-dasharray": dash }));
  const bar = element("progress", { max: arm.total, value: arm.done, "aria-label": `progress of ${arm.arm}` });
  const cells = [
    element("td", {}, key, arm.arm),
    element("td", {}, bar, ` ${number(arm.done, 0)} / ${number(arm.total, 0)}`),
    ...[`${arm.finished} / ${arm.runs}`, number(arm.score, 3), number(arm.tokens, 0), number(arm.dollars, 2), number(arm.failed, 0)].map((text) => element("td", {}, text)),
  ];
  return element("tr", { "data-arm": arm.arm, "data-done": arm.done }, ...cells);
}

function table(frame) {
  const names = ["arm", "episodes", "runs finished", "score so far", "tokens", "$", "no usable answer"];
  const head = element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name))));
  return element("table", {}, head, element("tbody", {}, ...frame.arms.map(row)));
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
  const body = element("div", {});
  const root = element("div", { class: "toolkit-live" }, element("div", { class: "head" }, title, state, press.pause, press.resume, press.stop), body);
  const draw = () => {
    const frame = model.get("frame");
    if (!frame || !frame.arms) return;
    title.textContent = frame.study;
    if (state.textContent !== frame.state) state.textContent = frame.state;
    press.pause.disabled = frame.state !== "running";
    press.resume.disabled = !["paused", "stopped", "failed"].includes(frame.state);
    press.stop.disabled = !["running", "paused"].includes(frame.state);
    const wrong = [...frame.failures, ...(frame.damaged ? [`${frame.damaged} damaged lines in the logs`] : []), ...(frame.note ? [frame.note] : [])];
    body.replaceChildren(figure(frame), table(frame), ...wrong.map((text) => element("div", { class: "wrong", role: "alert" }, text)), element("div", { class: "small" }, frame.band), ...gapFigure(frame));
  };
  model.on("change:frame", draw);
  draw();
  el.append(root);
  return () => model.off("change:frame", draw);
}

export default { render };
