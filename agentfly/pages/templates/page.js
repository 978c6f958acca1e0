// Filters the rows of a table; without it all rows are shown.
for (const form of document.querySelectorAll("form.filter")) {
  const table = document.getElementById(form.dataset.table);
  const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
  const told = form.querySelector("output");
  const filter = () => {
    const words = form.elements.words.value.toLowerCase().split(/\s+/);
    const chosen = [...form.querySelectorAll("select")].filter((select) => select.value);
    let shown = 0;
    for (const [row, text] of rows) {
      const fits = words.every((word) => text.includes(word)) && chosen.every((s) => row.dataset[s.name].split("\n").includes(s.value));
      row.hidden = !fits;
      shown += fits;
    }
    told.textContent = `${shown} of ${rows.length} rows`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
}

// Sorts a table by the column whose head is clicked; once more turns it round.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const numbers = head.classList.contains("number");
      const up = head.ariaSort ? head.ariaSort === "descending" : !numbers;
      const key = (row) => {
        const text = row.cells[column].textContent;
        if (!numbers) return text;
        const value = parseFloat(text.replaceAll(",", "").replace("\u2212", "-"));
        return Number.isNaN(value) ? -Infinity : value;
      };
      const order = numbers ? (a, b) => (a > b) - (a < b) : new Intl.Collator("en", { numeric: true }).compare;
      const keyed = [...table.tBodies[0].rows].map((row) => [key(row), row]);
      keyed.sort(([a], [b]) => (up ? order(a, b) : order(b, a)));
      const sorted = document.createDocumentFragment();
      for (const [, row] of keyed) sorted.append(row);
      table.tBodies[0].append(sorted);
      for (const other of heads) other.removeAttribute("aria-sort");
      head.ariaSort = up ? "ascending" : "descending";
    });
  });
}
