// A heading that opens and closes what stands below it: a button, so that Tab reaches it and Space or Enter presses it.

// JupyterLab takes letters and arrows for commands of its own wherever no text is typed (r makes a cell raw): the menus
// and boxes of a form need them. One listener for all forms of the page.
const NEEDY = ".toolkit-form select, .toolkit-form input[type=checkbox]";
if (!document.documentElement.dataset.toolkitKeys) {
  document.documentElement.dataset.toolkitKeys = "heard";
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.(NEEDY)) event.target.dataset.lmSuppressShortcuts = "true";
  });
}

function render({ model, el }) {
  const button = document.createElement("button");
  const arrow = document.createElement("span");
  const text = document.createElement("span");
  button.type = "button";
  button.className = "toolkit-fold";
  arrow.setAttribute("aria-hidden", "true"); // aria-expanded says it to those who cannot see it
  button.append(arrow, text);
  const draw = () => {
    const open = model.get("opened");
    button.setAttribute("aria-expanded", String(open));
    arrow.textContent = open ? "▾ " : "▸ ";
    text.textContent = model.get("text");
  };
  button.addEventListener("click", () => {
    model.set("opened", !model.get("opened"));
    model.save_changes();
  });
  model.on("change:opened", draw);
  model.on("change:text", draw);
  el.append(button);
  draw();
  return () => {
    model.off("change:opened", draw);
    model.off("change:text", draw);
  };
}

export default { render };
