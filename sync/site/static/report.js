// Filters, order and what-if of the report. Every page is complete without it.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  // a page whose content has not changed keeps the times of the run that wrote it
  const times = globalThis.milesyncTimes;
  const made = byId("made");
  if (times && made) {
    made.dateTime = times.at;
    made.textContent = times.shown;
    for (const cell of document.querySelectorAll("[data-read]")) {
      cell.textContent = times.read[cell.dataset.read] ?? cell.textContent;
    }
  }
  const old = byId("old");
  if (made && old) {
    const hours = Math.floor((Date.now() - Date.parse(made.dateTime)) / 36e5);
    if (hours >= 26) {
      old.textContent = `This page is ${Math.floor(hours / 24)} days and ${hours % 24} hours old.`;
      old.hidden = false;
    }
  }

  const table = byId("milestones");
  const form = byId("filters");
  if (table && form) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({
      row,
      text: row.textContent.toLowerCase(),
      keys: [...row.cells].map((cell) => cell.dataset.k ?? cell.textContent.trim().toLowerCase()),
      owners: row.dataset.o ? row.dataset.o.split("\n") : [],
    }));
    const fields = ["text", "status", "tracker", "owner"].map((name) => byId(`f-${name}`));
    const heads = [...table.tHead.rows[0].cells];
    const order = { column: 0, down: false };

    const show = () => {
      const [text, status, tracker, owner] = fields.map((field) => field.value);
      const words = text.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const one of rows) {
        const own = one.row.dataset;
        const fits =
          (status === "*" || (status ? own.s === status : own.over === undefined)) &&
          (!tracker || own.t === tracker) &&
          (!owner || one.owners.includes(owner)) &&
          words.every((word) => one.text.includes(word));
        one.row.hidden = !fits;
        shown += fits;
      }
      byId("count").textContent = `${shown} of ${rows.length} milestones`;
      byId("none").hidden = shown > 0;
    };

    const compare = (a, b) => {
      if (a === b) return 0;
      if (a === "") return 1; // unknown values come last in both orders
      if (b === "") return -1;
      const [x, y] = [Number(a), Number(b)];
      const less = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
      return order.down ? -less : less;
    };

    const sort = () => {
      rows.sort((a, b) => compare(a.keys[order.column], b.keys[order.column]) || a.keys[0] - b.keys[0]);
      body.append(...rows.map((one) => one.row));
      heads.forEach((head, n) => {
        if (n === order.column) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      byId("f-order").value = String(order.column);
    };

    heads.forEach((head, column) => {
      const label = head.querySelector(".head");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label.textContent;
      button.addEventListener("click", () => {
        order.down = order.column === column && !order.down;
        order.column = column;
        sort();
      });
      label.replaceChildren(button);
    });
    byId("f-order").addEventListener("change", (event) => {
      order.column = Number(event.target.value);
      order.down = false;
      sort();
    });
    form.addEventListener("input", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () =>
      setTimeout(() => {
        Object.assign(order, { column: 0, down: false });
        sort();
        show();
      }),
    );
    form.hidden = false;
    show();
  }

  const box = byId("what-if");
  if (box) {
    const numbers = (text) => text.split(" ").map(Number);
    const cuts = numbers(box.dataset.cuts);
    const dates = box.dataset.dates.split(" ");
    const cells = box.dataset.cells.split(";").map(numbers);
    const now = numbers(box.dataset.now);
    const open = Number(box.dataset.open);
    const [cut, date] = [byId("w-cut"), byId("w-date")];
    const day = (iso) =>
      new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }).format(
        new Date(iso),
      );
    const signed = (n, noun) => (n === 0 ? "as now" : `${n > 0 ? "+" : "−"}${Math.abs(n)} ${noun}${Math.abs(n) === 1 ? "" : "s"}`);

    const say = () => {
      const [c, d] = [Number(cut.value), Number(date.value)];
      const p = cells[c][d];
      const issues = `${open + cuts[c]} (${signed(cuts[c], "issue")})`;
      const due = `${day(dates[d])} (${signed(Math.round((Date.parse(dates[d]) - Date.parse(dates[now[1]])) / 864e5), "day")})`;
      byId("w-cut-said").textContent = issues;
      byId("w-date-said").textContent = due;
      cut.setAttribute("aria-valuetext", issues);
      date.setAttribute("aria-valuetext", due);
      byId("w-answer").textContent = `${p}% likely`;
      byId("w-bar").setAttribute("width", `${p}%`);
    };
    for (const slider of [cut, date]) slider.addEventListener("input", say);
    byId("w-reset").addEventListener("click", () => {
      [cut.value, date.value] = now;
      say();
    });
    box.hidden = false;
    say();
  }
})();
