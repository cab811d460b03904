// A group of boxes to tick, or of which one is taken, with the count of each. Only native elements, so that a
// keyboard and a screen reader work it as they work any form.

// JupyterLab takes arrow keys and others for itself wherever they are pressed in a notebook, so that radio boxes
// and lists could not be worked; within a panel they belong to the control that has the focus.
function keepKeys(el) {
  const panel = el.closest(".outcomes-panel");
  if (!panel) requestAnimationFrame(() => keepKeys(el));
  else panel.addEventListener("focusin", keepKeysOf);
}

function keepKeysOf(event) {
  event.target.setAttribute("data-lm-suppress-shortcuts", "true");
}

function build({ model, el }) {
  keepKeys(el);
  const name = `outcomes-choice-${Math.random().toString(36).slice(2)}`; // each group has its own copy of this file
  const folded = model.get("folded");
  const root = document.createElement(folded ? "details" : "div");
  root.className = `outcomes-choice ${folded ? "folded" : "row"}`;
  const fieldset = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = model.get("label");
  fieldset.append(legend);
  const chosen = document.createElement("span");
  if (folded) {
    const summary = document.createElement("summary");
    const title = document.createElement("span");
    title.textContent = model.get("label");
    chosen.className = "chosen";
    summary.append(title, chosen);
    legend.className = "unseen";
    root.append(summary);
  }
  root.append(fieldset);
  el.append(root);

  const inputs = new Map();

  function makeOption(option) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = model.get("many") ? "checkbox" : "radio";
    input.name = name;
    input.value = option.id;
    input.addEventListener("change", tell);
    const text = document.createElement("span");
    const note = document.createElement("span");
    note.className = "note";
    label.append(input, text, note);
    inputs.set(option.id, { label, input, text, note });
    return label;
  }

  function tell() {
    const taken = [...inputs].filter(([, one]) => one.input.checked).map(([id]) => id);
    model.set("value", taken);
    model.save_changes();
    summarise();
  }

  function summarise() {
    const taken = [...inputs.values()].filter((one) => one.input.checked);
    chosen.textContent = taken.length ? taken.map((one) => one.text.textContent).join(", ") : model.get("none");
  }

  // Where the options are the same, only their counts change, so that the focus stays where it is.
  function show() {
    const options = model.get("options");
    const ids = options.map((option) => option.id);
    if (ids.join("\n") !== [...inputs.keys()].join("\n")) {
      for (const { label } of inputs.values()) label.remove();
      inputs.clear();
      fieldset.append(...options.map(makeOption));
    }
    const value = model.get("value");
    for (const option of options) {
      const { label, input, text, note } = inputs.get(option.id);
      text.textContent = option.label;
      note.textContent = option.note;
      label.classList.toggle("empty", option.empty);
      input.checked = value.includes(option.id);
    }
    summarise();
  }

  model.on("change:options", show);
  model.on("change:value", show);
  show();
  return () => {
    model.off("change:options", show);
    model.off("change:value", show);
  };
}

export default { render: build };
