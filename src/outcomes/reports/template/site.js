(function () {
  "use strict";
  var form = document.getElementById("filters");
  if (!form) { return; }
  var rows = Array.prototype.slice.call(document.querySelectorAll("[data-entry]"));
  var groups = Array.prototype.slice.call(document.querySelectorAll("[data-group]"));
  var found = document.getElementById("found");
  var none = document.getElementById("none");
  function apply() {
    var shown = 0;
    rows.forEach(function (row) {
      var fits = ["report", "site", "therapy", "slot"].every(function (name) {
        var control = form.elements[name];
        return !control || !control.value || row.dataset[name] === control.value;
      });
      var past = form.elements.past;
      if (past && !past.checked && row.dataset.state === "earlier") { fits = false; }
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    groups.forEach(function (group) {
      var chosen = form.elements.report && form.elements.report.value;
      var some = group.querySelector("[data-entry]:not([hidden])");
      var empty = !group.querySelector("[data-entry]");
      group.hidden = empty ? Boolean(chosen && chosen !== group.dataset.group) : !some;
    });
    found.textContent = found.dataset.text.replace("{shown}", shown).replace("{all}", rows.length);
    none.hidden = shown > 0 || rows.length === 0;
  }
  form.hidden = false;
  form.addEventListener("change", apply);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  apply();
}());
