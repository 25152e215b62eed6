"use strict";
// Every page can be read without this. It follows the server, moves between lights, and types the code of a link.
(() => {
  const main = document.querySelector("main");

  const form = document.querySelector("form[data-enter]");
  if (form && location.hash.length > 1) {
    form.elements.code.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
    form.submit();
  }

  document.addEventListener("keydown", (e) => {
    if (e.altKey || e.ctrlKey || e.metaKey || e.shiftKey || !e.key.startsWith("Arrow")) return;
    if (e.target.closest("input, select, textarea, pre:focus")) return;
    const to = document.querySelector(`a[data-key="${e.key}"]`) || step(e.key);
    if (!to) return;
    e.preventDefault();
    to.dataset.key ? to.click() : to.focus();
  });

  // step is the light on the board that an arrow key leads to.
  const step = (key) => {
    const rows = [...document.querySelectorAll("table.lights tbody tr")].map((tr) => [...tr.querySelectorAll("a.spot")]);
    const at = rows.findIndex((row) => row.includes(document.activeElement));
    if (at < 0) return rows.find((row) => row.length)?.at(-1);
    const i = rows[at].indexOf(document.activeElement);
    if (key === "ArrowLeft") return rows[at][i - 1];
    if (key === "ArrowRight") return rows[at][i + 1];
    const column = (a) => a.closest("td").cellIndex;
    const others = key === "ArrowUp" ? rows.slice(0, at).reverse() : rows.slice(at + 1);
    const row = others.find((r) => r.length);
    const far = (a) => Math.abs(column(a) - column(document.activeElement));
    return row?.reduce((best, a) => (far(a) <= far(best) ? a : best));
  };

  if (!main.hasAttribute("data-live")) return;
  let source, busy = false, again = false;

  // A click is a press and a release on one element, so nothing is replaced between them.
  let pressed = false, late = "";
  document.addEventListener("pointerdown", () => { pressed = true; });
  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => setTimeout(() => { pressed = false; if (late) show(late); }));
  }

  // show puts the new main part in place of the old one, and leaves focus and scrolling as they were.
  const show = (text) => {
    late = pressed ? text : "";
    if (pressed) return;
    const held = document.activeElement;
    if (main.contains(held) && held.matches("input, select")) return; // somebody is filling in a form
    const next = new DOMParser().parseFromString(text, "text/html").querySelector("main[data-live]");
    if (!next) return location.reload(); // the cookie is no longer good
    const wide = main.querySelector(".wide"), right = wide && wide.scrollWidth - wide.scrollLeft - wide.clientWidth;
    const open = [...main.querySelectorAll("details")].map((d) => d.open), href = main.contains(held) && held.getAttribute("href");
    main.replaceChildren(...next.childNodes);
    if (href) [...main.querySelectorAll("a")].find((a) => a.getAttribute("href") === href && a.className === held.className)?.focus({preventScroll: true});
    main.querySelectorAll("details").forEach((d, i) => { d.open = open[i]; });
    const now = main.querySelector(".wide");
    if (now) now.scrollLeft = wide ? now.scrollWidth - now.clientWidth - right : now.scrollWidth;
  };

  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      do {
        again = false;
        const answer = await fetch(location.href);
        show(await answer.text());
      } while (again);
    } catch {
      document.getElementById("lost").hidden = false; // the stream says when it is back
    } finally {
      busy = false;
    }
  };

  // A browser opens six streams a host, so a page that nobody sees has none.
  const follow = () => {
    if (document.hidden) { source?.close(); source = undefined; return; }
    if (source) return;
    source = new EventSource("/stream");
    source.onmessage = () => { document.getElementById("lost").hidden = true; refresh(); };
    source.onerror = () => { document.getElementById("lost").hidden = false; if (source.readyState === 2) { source = undefined; setTimeout(follow, 3000); } };
  };
  document.addEventListener("visibilitychange", follow);
  const wide = main.querySelector(".wide");
  if (wide) wide.scrollLeft = wide.scrollWidth;
  follow();
})();
