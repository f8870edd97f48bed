// Filters for the tables of the reference. A section asks for one, of its tables, with an element that stays empty where
// there is no JavaScript: <div class="table-filter" data-filter="names">, or "pairs" with data-none="what is said if no pair
// is found", and data-kind="a label" where the pairs can be chosen by the second column. What is chosen is kept in the
// page's address, so that it can be linked to: pairs.html?p=gamma&against=norm&kind=closed+form (Sphinx's search has q).
(function () {
  "use strict";

  const MOST_SHOWN = 1; // pairs that are spelt out instead of counted

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  const texts = (cell) => [...cell.querySelectorAll("code")].map((code) => code.textContent.trim());

  // What is typed is a whole name, if there is one like it, else a part of names. SciPy's may be written with "stats.",
  // PyMC's without "pm.".
  function matcher(typed, names) {
    const text = typed.trim().toLowerCase().replace(/^(scipy\.)?stats\./, "");
    if (!text) return () => true;
    const is = (name) => [name.toLowerCase(), name.toLowerCase().replace(/^pm\./, "")].includes(text);
    return names.some(is) ? is : (name) => name.toLowerCase().includes(text);
  }

  function field(name, label, options) {
    const control = options
      ? element("select", { name }, element("option", { value: "", textContent: "any" }),
          ...options.map((option) => element("option", { value: option, textContent: option })))
      : element("input", { name, type: "search", autocomplete: "off", spellcheck: false });
    return element("label", {}, element("span", { textContent: label }), control);
  }

  // Of a table of pairs: its rows are [names of p, kind, names of q].
  function pairs(tables, place) {
    const rows = tables.flatMap((table) => [...table.tBodies[0].rows]).map((row) => ({
      row,
      p: texts(row.cells[0]),
      kind: row.cells[1].textContent.trim(),
      q: [...row.cells[2].querySelectorAll("code")],
    }));
    const all = new Map(rows.map(({ p }) => [p[0], p])); // every name of a distribution, by the first
    const names = [...new Set([...all.values()].flat())];
    const kinds = [...new Set(rows.map(({ kind }) => kind))];
    rows.forEach(({ row, kind }) => (row.dataset.kind = kind));
    return {
      fields: [field("p", "p"), field("against", "q"),
        ...(place.dataset.kind ? [field("kind", place.dataset.kind, kinds)] : [])],
      names,
      show(values) {
        const isP = matcher(values.p, names);
        const isQ = matcher(values.against, names);
        const counts = new Map();
        let last = "";
        for (const { row, p, kind, q } of rows) {
          const here = p.some(isP) && (!values.kind || values.kind === kind);
          const found = q.filter((code) => {
            const shown = here && all.get(code.textContent).some(isQ);
            code.hidden = !shown;
            return shown;
          });
          row.hidden = !found.length;
          if (found.length) {
            counts.set(kind, (counts.get(kind) || 0) + found.length);
            last = `KL(${p[0]} ‖ ${found[0].textContent}): ${kind}`;
          }
        }
        const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
        if (!total) return place.dataset.none;
        if (total <= MOST_SHOWN) return last;
        if (!place.dataset.kind) return `${total} pairs`;
        return `${total} pairs: ${[...counts].map(([kind, count]) => `${kind} ${count}`).join(", ")}`;
      },
    };
  }

  // Of any other table: rows that hold what is typed.
  function names(tables) {
    const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
    return {
      fields: [field("name", "Name or family")],
      names: [],
      show(values) {
        const text = values.name.trim().toLowerCase();
        const found = rows.filter((row) => {
          row.hidden = !row.textContent.toLowerCase().includes(text);
          return !row.hidden;
        });
        return `${found.length} of ${rows.length} rows`;
      },
    };
  }

  function start(place) {
    const section = place.closest("section");
    const tables = [...section.querySelectorAll("table")];
    tables.forEach((table) => table.classList.add(`filtered-${place.dataset.filter}`));
    const kind = { pairs, names }[place.dataset.filter](tables, place);
    const said = element("p", { className: "found" });
    said.setAttribute("role", "status");
    const list = element("datalist", { id: "table-filter-names" },
      ...kind.names.map((name) => element("option", { value: name })));
    const clear = element("button", { type: "reset", textContent: "Clear" });
    const form = element("form", {}, ...kind.fields, clear, list);
    const controls = [...form.querySelectorAll("input, select")];
    controls.filter((one) => one.tagName === "INPUT").forEach((one) => one.setAttribute("list", list.id));

    function show() {
      const values = Object.fromEntries(controls.map((one) => [one.name, one.value]));
      said.textContent = kind.show(values);
      for (const table of tables) {
        const own = table.closest("section");
        const box = own === section ? table : own;
        box.hidden = [...table.tBodies[0].rows].every((row) => row.hidden);
      }
      return values;
    }
    function keep(values) {
      const given = Object.entries(values).filter(([, value]) => value);
      const query = given.length ? `?${new URLSearchParams(given)}` : location.pathname;
      try {
        history.replaceState(null, "", query + location.hash);
      } catch {
        // a page that was opened as a file may not change its address
      }
    }
    form.addEventListener("input", () => keep(show()));
    form.addEventListener("reset", () => setTimeout(() => keep(show())));
    form.addEventListener("submit", (event) => event.preventDefault());
    place.append(form, said);
    const asked = new URLSearchParams(location.search);
    controls.forEach((one) => (one.value = asked.get(one.name) || ""));
    show();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".table-filter").forEach(start));
})();
