/* Sort a table by the column whose heading is pressed. */
(function () {
  "use strict";
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach(function (head, column) {
      head.querySelector("button").addEventListener("click", function () {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = Array.from(table.tBodies[0].rows);
        const of = function (row) {
          const value = row.cells[column].dataset.v;
          return head.dataset.kind === "text" ? value : Number(value);
        };
        rows.sort(function (a, b) {
          const x = of(a), y = of(b);
          const order = x < y ? -1 : x > y ? 1 : 0;
          return down ? -order : order;
        });
        table.tBodies[0].append(...rows);
      });
    });
  }
})();
