// Shows a page that Python has made and escaped; says which button was pressed, copies what stands beside one, and goes
// through the turns of an episode and along the points of a curve.

const PACE = 1500; // milliseconds a turn while it plays

// Each side shows its own turn; where it has no more, how it ended.
function place(body, turn) {
  for (const side of body.querySelectorAll(".side[data-turns]")) {
    const shown = String(Math.min(turn, Number(side.dataset.turns)));
    for (const one of side.querySelectorAll("article")) one.hidden = one.dataset.turn !== shown;
    for (const one of side.querySelectorAll(".chip")) one.classList.toggle("now", one.dataset.go === shown);
  }
}

// The turn is the model's where it has one (Python may set it), else the page's own.
function player(body, model) {
  let own = 0;
  let shown = "";
  let playing = null;
  const kept = () => model.get("turn") !== undefined;
  const at = () => (kept() ? model.get("turn") : own);
  const slider = () => body.querySelector("input[data-turn]");
  const last = () => Number(slider()?.max ?? 0);
  const draw = () => {
    const [turn, bar] = [at(), slider()?.parentElement];
    if (!bar) return stop();
    slider().value = turn;
    bar.querySelector(".where").textContent = turn < last() ? `turn ${turn + 1} of ${last()}` : "the end";
    bar.querySelector('[data-step="-1"]').disabled = turn <= 0;
    bar.querySelector('[data-step="1"]').disabled = turn >= last();
    bar.querySelector("[data-play]").textContent = playing === null ? "▶ Play" : "⏸ Hold";
    place(body, turn);
  };
  const go = (turn) => {
    const to = Math.max(0, Math.min(turn, last()));
    if (!kept()) {
      own = to;
      return draw();
    }
    model.set("turn", to);
    model.save_changes();
  };
  function stop() {
    clearInterval(playing);
    playing = null;
  }
  const step = () => {
    if (at() < last()) return go(at() + 1);
    stop();
    draw();
  };
  const play = () => {
    if (playing !== null) stop();
    else {
      if (at() >= last()) go(0);
      playing = setInterval(step, PACE);
    }
    draw();
  };
  const redrawn = () => {
    const key = body.querySelector(".played")?.dataset.episode ?? "";
    if (key !== shown) {
      own = 0;
      stop();
    }
    shown = key;
    draw();
  };
  return { at, go, play, draw, redrawn, stop };
}

// Arrow keys go along a curve: only one of its points is a stop of the Tab key.
function along(event) {
  const group = event.target.closest?.("button.point")?.parentElement;
  if (!group) return;
  const points = [...group.querySelectorAll("button.point")];
  const here = points.indexOf(event.target);
  const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: points.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation(); // the notebook has keys of its own
  points[Math.max(0, Math.min(to, points.length - 1))].focus();
}

function render({ model, el }) {
  const body = document.createElement("div");
  const note = document.createElement("div");
  note.className = "wrong";
  note.setAttribute("role", "alert");
  const turns = player(body, model);
  const send = (node, value) => model.send({ command: node.dataset.do, value });
  body.addEventListener("click", (event) => {
    const copy = event.target.closest("button[data-copy]");
    if (copy) return navigator.clipboard?.writeText(copy.parentElement.querySelector("pre").textContent);
    const chip = event.target.closest("[data-go]");
    if (chip) return turns.go(Number(chip.dataset.go));
    const step = event.target.closest("button[data-step]");
    if (step) return turns.go(turns.at() + Number(step.dataset.step));
    if (event.target.closest("button[data-play]")) return turns.play();
    const node = event.target.closest("button[data-do]");
    if (node) send(node, node.dataset.value);
  });
  body.addEventListener("input", (event) => {
    if (event.target.matches("input[data-turn]")) turns.go(Number(event.target.value));
  });
  body.addEventListener("change", (event) => {
    const node = event.target.closest("select[data-do], input[data-do]");
    if (node) send(node, node.dataset.place ? `${node.dataset.place}:${node.value}` : node.value);
  });
  body.addEventListener("keydown", along);
  body.addEventListener("focusin", (event) => {
    event.target.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes letters and arrows for commands of its own
  });
  const at = () => el.getRootNode().activeElement;
  const draw = () => {
    const held = at()?.dataset?.key;
    const open = new Set([...body.querySelectorAll("details[open][data-key]")].map((one) => one.dataset.key));
    body.innerHTML = model.get("html"); // escaped where it was made
    let found = !held;
    for (const one of body.querySelectorAll("[data-key]")) {
      if (one.tagName === "DETAILS" && open.has(one.dataset.key)) one.open = true;
      else if (held && !found && one.dataset.key === held) {
        one.focus();
        found = true;
      }
    }
    if (!found) body.querySelector("[data-focus]")?.focus(); // what was pressed is gone: go on where the page begins
    turns.redrawn();
  };
  const told = () => (note.textContent = model.get("note"));
  const heard = { "change:html": draw, "change:turn": turns.draw, "change:note": told };
  for (const [event, does] of Object.entries(heard)) model.on(event, does);
  const whole = document.createElement("div");
  whole.className = "toolkit-page guided";
  whole.append(note, body);
  el.append(whole);
  draw();
  told();
  return () => {
    turns.stop();
    for (const [event, does] of Object.entries(heard)) model.off(event, does);
  };
}

export default { render };
