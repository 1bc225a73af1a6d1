// Shows a page that Python has made and escaped; buttons can be pressed by their keys while the view has the focus.

function render({ model, el }) {
  const whole = document.createElement("div");
  whole.className = "toolkit-page guided annotation";
  whole.tabIndex = 0;
  whole.setAttribute("role", "group");
  whole.setAttribute("aria-label", "Answers to rate");
  whole.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes a, b and digits for commands of its own
  const progress = document.createElement("p");
  progress.setAttribute("role", "status");
  const note = document.createElement("div");
  note.className = "wrong";
  note.setAttribute("role", "alert");
  const body = document.createElement("div");
  whole.append(progress, note, body);

  const field = (name) => body.querySelector(`input[data-key="${name}"]`);
  const press = (node) => {
    const typed = node.dataset.with ? field(node.dataset.with).value : "";
    model.send({ command: node.dataset.do, value: node.dataset.value + typed });
  };
  whole.addEventListener("click", (event) => {
    const node = event.target.closest("button[data-do]");
    if (node) press(node);
  });
  whole.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const typing = event.target.closest("input");
    const wanted = typing ? event.key === "Enter" && ["with", typing.dataset.key] : ["press", event.key.toLowerCase()];
    const node = wanted && [...body.querySelectorAll("button")].find((one) => one.dataset[wanted[0]] === wanted[1]);
    if (!node) return;
    event.preventDefault();
    event.stopPropagation();
    press(node);
  });
  const at = () => el.getRootNode().activeElement;
  const draw = () => {
    const held = whole.contains(at());
    body.innerHTML = model.get("html"); // escaped where it was made
    if (held) whole.focus({ preventScroll: true }); // the button that was pressed is gone, its keys must go on working
  };
  const told = () => {
    progress.textContent = model.get("progress");
    note.textContent = model.get("note");
  };
  model.on("change:html", draw);
  model.on("change:note change:progress", told);
  el.append(whole);
  draw();
  told();
  return () => {
    model.off("change:html", draw);
    model.off("change:note change:progress", told);
  };
}

export default { render };
