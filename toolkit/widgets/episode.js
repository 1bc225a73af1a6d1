// Goes through the turns of a page that Python has made and escaped; names in menus go in as text only.

const PACE = 1500; // milliseconds a turn while it plays

function element(name, attributes, ...inner) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inner);
  return made;
}

function button(label, told, pressed) {
  const made = element("button", { type: "button", title: told, "aria-label": told }, label);
  made.addEventListener("click", pressed);
  return made;
}

function chooser(name, label, values, chosen, model) {
  const select = element("select", { "data-choose": name, "aria-label": label });
  for (const value of values) {
    const option = element("option", { value }, name === "beside" && value === "" ? "nobody" : String(value));
    option.selected = value === chosen;
    select.append(option);
  }
  select.addEventListener("change", () => model.send({ command: "show", [name]: select.value }));
  return element("label", {}, `${label} `, select);
}

// Each side shows its own turn; where it has no more, how it ended.
function place(body, turn) {
  for (const side of body.querySelectorAll(".side")) {
    const shown = String(Math.min(turn, Number(side.dataset.turns)));
    for (const one of side.querySelectorAll("article")) one.hidden = one.dataset.turn !== shown;
    for (const one of side.querySelectorAll(".chip")) one.classList.toggle("now", one.dataset.go === shown);
  }
}

function render({ model, el }) {
  let playing = null;
  const go = (turn) => {
    model.set("turn", Math.max(0, Math.min(turn, model.get("last"))));
    model.save_changes();
  };
  const stop = () => {
    clearInterval(playing);
    playing = null;
    play.textContent = "▶ Play";
  };
  const step = () => (model.get("turn") < model.get("last") ? go(model.get("turn") + 1) : stop());
  const slider = element("input", { type: "range", min: 0, step: 1, "aria-label": "turn" });
  slider.addEventListener("input", () => go(Number(slider.value)));
  const play = button("▶ Play", "play the turns, or stop", () => {
    if (playing !== null) return stop();
    if (model.get("turn") >= model.get("last")) go(0);
    playing = setInterval(step, PACE);
    play.textContent = "⏸ Hold";
  });
  const back = button("◀", "the turn before", () => go(model.get("turn") - 1));
  const forward = button("▶", "the next turn", () => go(model.get("turn") + 1));
  const look = button("Look again", "read what has been recorded since", () => model.send({ command: "look" }));
  const where = element("span", { class: "where", role: "status" });
  const note = element("div", { class: "wrong", role: "alert" });
  const menus = element("div", { class: "bar" });
  const body = element("div", {});
  body.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-go]");
    if (chip) go(Number(chip.dataset.go));
  });
  const draw = () => {
    body.innerHTML = model.get("html"); // escaped where it was made
    turned();
  };
  const turned = () => {
    const [turn, last] = [model.get("turn"), model.get("last")];
    slider.max = last;
    slider.value = turn;
    where.textContent = turn < last ? `turn ${turn + 1} of ${last}` : "the end";
    back.disabled = turn <= 0;
    forward.disabled = turn >= last;
    place(body, turn);
  };
  const choices = () => {
    const menu = model.get("menu");
    if (!menu.chosen) return;
    const of = (name, label, values) => chooser(name, label, values, menu.chosen[name], model);
    menus.replaceChildren(of("arm", "arm", menu.arm), of("beside", "beside", ["", ...menu.arm]), of("task", "task", menu.task), of("seed", "seed", menu.seed), look);
  };
  const told = () => (note.textContent = model.get("note"));
  const heard = { "change:html": draw, "change:turn": turned, "change:last": turned, "change:menu": choices, "change:note": told };
  for (const [event, does] of Object.entries(heard)) model.on(event, does);
  el.append(element("div", { class: "toolkit-episode guided" }, menus, element("div", { class: "bar" }, play, back, slider, forward, where), note, body));
  choices();
  told();
  draw();
  return () => {
    clearInterval(playing);
    for (const [event, does] of Object.entries(heard)) model.off(event, does);
  };
}

export default { render };
