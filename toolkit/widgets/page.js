// Shows a page that Python has made and escaped; says which button was pressed, and copies what stands beside one.

function render({ model, el }) {
  const body = document.createElement("div");
  const note = document.createElement("div");
  note.className = "wrong";
  note.setAttribute("role", "alert");
  const send = (node, value) => model.send({ command: node.dataset.do, value });
  body.addEventListener("click", (event) => {
    const copy = event.target.closest("button[data-copy]");
    if (copy) return navigator.clipboard?.writeText(copy.parentElement.querySelector("pre").textContent);
    const node = event.target.closest("button[data-do]");
    if (node) send(node, node.dataset.value);
  });
  body.addEventListener("change", (event) => {
    const node = event.target.closest("select[data-do], input[data-do]");
    if (node) send(node, node.dataset.place ? `${node.dataset.place}:${node.value}` : node.value);
  });
  const at = () => el.getRootNode().activeElement;
  const draw = () => {
    const held = at()?.dataset?.key;
    const open = new Set([...body.querySelectorAll("details[open][data-key]")].map((one) => one.dataset.key));
    body.innerHTML = model.get("html"); // escaped where it was made
    for (const one of body.querySelectorAll("[data-key]")) {
      if (one.tagName === "DETAILS" && open.has(one.dataset.key)) one.open = true;
      else if (held && one.dataset.key === held) one.focus();
    }
  };
  const told = () => (note.textContent = model.get("note"));
  model.on("change:html", draw);
  model.on("change:note", told);
  const whole = document.createElement("div");
  whole.className = "toolkit-page guided";
  whole.append(note, body);
  el.append(whole);
  draw();
  told();
  return () => {
    model.off("change:html", draw);
    model.off("change:note", told);
  };
}

export default { render };
