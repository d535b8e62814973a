// What pages do beyond reading: they follow what moves, take keys, and let somebody brush a figure.
// Everything that a page says is in its HTML; without this script it reads the same.
(() => {
  "use strict";
  const root = document.documentElement;
  const kept = {
    get: (name) => { try { return localStorage.getItem(name); } catch { return null; } },
    set: (name, value) => { try { value ? localStorage.setItem(name, value) : localStorage.removeItem(name); } catch { /* Private windows keep nothing. */ } },
  };

  // The theme is set before anything is painted: this script is loaded in the head.
  const themed = (theme) => { if (theme) root.dataset.theme = theme; else delete root.dataset.theme; };
  themed(kept.get("theme"));

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  const types = (element) => element && element.matches("input:not([type=hidden]), textarea, select");

  // ---- Parts that have moved are asked for again, at the page's own address.

  const PAUSE = 500;
  const moved = new Set();
  let timer = 0, asking = false, seq = 0;

  const shown = () => all("[data-of]");
  const concerns = (part, words) => words.has("*") || part.dataset.of.split(" ").some((word) => words.has(word));

  // Whether somebody is in the middle of something in a part.
  function busy(part) {
    const active = document.activeElement;
    if (part.contains(active) && types(active) && active.value !== active.defaultValue) return true;
    const selection = getSelection();
    return brushing?.svg && part.contains(brushing.svg) || !selection.isCollapsed && part.contains(selection.anchorNode);
  }

  function ask() {
    timer = 0;
    if (asking || document.hidden) return;
    const parts = shown().filter((part) => concerns(part, moved));
    const waiting = parts.filter(busy);
    const free = parts.filter((part) => !waiting.includes(part));
    if (!waiting.length) moved.clear();
    if (free.length) renew(free); else if (waiting.length) soon(2 * PAUSE);
  }

  const soon = (pause = PAUSE) => { timer ||= setTimeout(ask, pause); };

  async function renew(parts) {
    asking = true;
    const url = new URL(location.href);
    url.hash = "";
    url.searchParams.set("part", parts.map((part) => part.id).join(" "));
    try {
      const answer = await fetch(url, { headers: { accept: "text/html", "x-databuild-background": "1" } });
      if (answer.status === 401) return location.reload();
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of parts) {
          const other = fresh.getElementById(part.id);
          if (other && other.outerHTML !== part.outerHTML) replace(part, document.adoptNode(other));
        }
        if (parts.length) light("live");
      }
    } catch { /* The stream says that the server is gone. */ } finally {
      asking = false;
      if (moved.size) soon();
    }
  }

  // Puts a part in the place of an older one; focus and scrolling stay where they were.
  function replace(old, fresh) {
    const reach = (part) => all("a, button, input, select, [tabindex]", part);
    const focused = reach(old).indexOf(document.activeElement);
    const scrolled = all(".scroll, .log", old).map((box) => [box.scrollLeft, box.scrollTop]);
    old.replaceWith(fresh);
    all(".scroll, .log", fresh).forEach((box, at) => { if (scrolled[at]) [box.scrollLeft, box.scrollTop] = scrolled[at]; });
    if (focused >= 0) reach(fresh)[focused]?.focus({ preventScroll: true });
    tick();
  }

  // ---- One stream for all windows. A browser has six connections to a server, so of the windows that somebody looks at one has the
  // stream, and tells the others. A window with a live log has a stream of its own, and so has each where windows cannot agree.

  let stream = null, lost = 0;
  // What windows say to each other, and the turn to have the stream: asked for, then had until it is given up.
  const ether = window.BroadcastChannel && navigator.locks ? new BroadcastChannel("databuild") : null;
  let turn = null, giveUp = null;
  // What the windows show that this one has the stream for.
  const words = new Set();
  const said = { live: "Live", wait: "Reconnecting", gone: "Server is gone" };

  function light(is) {
    const lamp = one("#light");
    if (!lamp || lamp.dataset.is === is) return;
    lamp.hidden = false;
    lamp.dataset.is = is;
    lamp.textContent = said[is];
    lamp.title = is === "gone" ? "The page shows what was known last. Start the server with: bazel run //:databuild -- ui" : "";
  }

  // What a stream says, be it this window's or another's.
  const heard = {
    at: (now) => {
      // It moved while nobody was told.
      if (now !== seq) { for (const part of shown()) part.dataset.of.split(" ").forEach((word) => moved.add(word)); soon(0); }
      seq = now;
    },
    moved: (told) => {
      seq = told.seq;
      told.of.forEach((word) => moved.add(word));
      soon();
    },
    light,
  };

  function hear(what, told) {
    heard[what](told);
    if (giveUp) ether.postMessage([what, told]);
  }

  function open(url) {
    stream?.close();
    stream = new EventSource(url);
    stream.addEventListener("open", () => { lost = 0; hear("light", "live"); });
    stream.addEventListener("at", (event) => hear("at", Number(event.data)));
    stream.addEventListener("moved", (event) => hear("moved", JSON.parse(event.data)));
    stream.addEventListener("lines", (event) => append(JSON.parse(event.data)));
    stream.addEventListener("end", () => { const log = one("[data-log]"); if (log) delete log.dataset.log; });
    stream.addEventListener("error", () => {
      lost ||= Date.now();
      hear("light", Date.now() - lost > 8000 ? "gone" : "wait");
      // Whoever is not let in any more learns why.
      if (stream?.readyState === EventSource.CLOSED) { quit(); renew([]); setTimeout(follow, 3000); }
    });
  }

  const own = () => new URL(document.body.dataset.stream, location.href);
  const shows = () => (own().searchParams.get("of") ?? "").split(" ").filter(Boolean);

  function follow() {
    if (stream || turn || document.hidden || !document.body.dataset.stream) return;
    if (!ether || own().searchParams.has("log")) return open(document.body.dataset.stream);
    const mine = turn = new AbortController();
    navigator.locks.request("databuild stream", { signal: mine.signal }, () => new Promise((resolve) => {
      if (turn !== mine) return resolve();
      giveUp = resolve;
      words.clear();
      join(shows());
      ether.postMessage(["who", null]);
    })).catch(() => { /* It was not this window's turn before somebody closed it. */ });
    ether.postMessage(["join", shows()]);
  }

  // The stream tells of what a window shows, too.
  function join(more) {
    const known = words.size;
    more.forEach((word) => words.add(word));
    if (words.size === known) return ether.postMessage(["at", seq]);
    const url = own();
    url.searchParams.set("of", [...words].sort().join(" "));
    open(url);
  }

  ether?.addEventListener("message", ({ data: [what, told] }) => {
    // Whoever has a stream of its own hears nobody else.
    if (!turn || document.hidden) return;
    if (what === "join") { if (giveUp) join(told); }
    else if (what === "who") { if (!giveUp) ether.postMessage(["join", shows()]); }
    else if (!giveUp) {
      if (what !== "light") light("live");
      // What this window shows may be as new as that.
      if (what !== "at" || told > seq) heard[what](told);
    }
  });

  function quit() {
    stream?.close();
    giveUp?.();
    turn?.abort();
    stream = turn = giveUp = null;
  }

  // ---- Logs

  const MOST_LINES = 5000;

  function append(html) {
    const log = one("[data-log]"), list = log && one("ol", log);
    if (!list) return;
    const below = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const before = list.childElementCount;
    list.insertAdjacentHTML("beforeend", html);
    for (let over = list.childElementCount - MOST_LINES; over > 0; over--) list.firstElementChild.remove();
    if (below || before === 0) log.scrollTop = log.scrollHeight;
  }

  // ---- Times

  const units = [[86400, " day"], [3600, " h"], [60, " min"], [1, " s"]];

  function ago(seconds) {
    if (seconds >= 0 && seconds < 5) return "just now";
    const size = Math.abs(seconds);
    if (seconds < 0 && size < 86400) return "in " + span(size * 1000);
    const [unit, name] = units.find(([unit]) => size >= unit) ?? units[3];
    const count = Math.floor(size / unit);
    const text = count + name + (unit === 86400 && count !== 1 ? "s" : "");
    return seconds < 0 ? "in " + text : text + " ago";
  }

  const two = (number) => String(number).padStart(2, "0");

  function span(ms) {
    const s = Math.floor(Math.max(ms, 0) / 1000);
    if (s < 10) return (Math.floor(ms / 100) / 10).toFixed(1) + " s";
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min " + two(s % 60) + " s";
    if (s < 86400) return Math.floor(s / 3600) + " h " + two(Math.floor(s / 60) % 60) + " min";
    return Math.floor(s / 86400) + " d " + Math.floor(s / 3600) % 24 + " h";
  }

  function tick() {
    if (document.hidden) return;
    const now = Date.now();
    for (const time of all("time[data-since]")) put(time, span(now - Date.parse(time.dateTime)));
    for (const time of all("time[data-ago]")) {
      const seconds = Math.floor((now - Date.parse(time.dateTime)) / 1000);
      if (Math.abs(seconds) < 30 * 86400) put(time, ago(seconds));
    }
  }

  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };

  // ---- Forms that filter: their address has only what was filled in.

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-filter]")) return;
    event.preventDefault();
    const url = new URL(form.action);
    for (const [name, value] of new FormData(form)) if (value) url.searchParams.set(name, value);
    // References are easier to read as they are.
    location.assign(url.pathname + url.search.replaceAll("%2F", "/").replaceAll("%3D", "=").replaceAll("%3A", ":"));
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-filter] select")) event.target.form.requestSubmit();
  });

  // ---- Figures: what a cell holds, and what somebody brushes.

  const figures = new WeakMap();
  let brushing = null, tip = null;

  function figure(svg) {
    let known = figures.get(svg);
    if (!known) {
      const words = (text) => (text ?? "").split(" ");
      const numbers = (text) => words(text).map(Number);
      const data = svg.dataset;
      const [width, height, gap] = numbers(data.cell), [left, top, block] = numbers(data.from);
      const slots = numbers(data.slots);
      known = {
        width, height, gap, left, top, block, per: Number(data.per), slots, columns: words(data.columns), rows: data.rows === "" ? [""] : words(data.rows),
        cells: words(data.cells), column: new Map(slots.map((slot, at) => [slot, at])),
      };
      figures.set(svg, known);
    }
    return known;
  }

  function cellAt(svg, event) {
    const of = figure(svg), box = svg.getBoundingClientRect();
    const x = event.clientX - box.left - of.left, y = event.clientY - box.top - of.top;
    const row = Math.floor(y / of.block), down = Math.floor((y - row * of.block) / (of.height + of.gap));
    const column = of.column.get(Math.floor(x / (of.width + of.gap)) * of.per + down);
    if (x < 0 || y < 0 || column === undefined || down >= of.per || row >= of.rows.length) return null;
    return { row, column, code: of.cells[row * of.columns.length + column] };
  }

  const states = { f: "failed", s: "stale", b: "building", o: "left out", u: "behind" };

  function sayCell(svg, cell) {
    const of = figure(svg), total = parseInt(cell.code, 10);
    const parts = [...cell.code.matchAll(/([fsmbou])(\d+)/g)].map(([, state, count]) => [states[state] ?? svg.dataset.missing, Number(count)]);
    const good = total - parts.reduce((sum, [, count]) => sum + count, 0);
    if (good) parts.unshift(["up to date", good]);
    const what = total === 1 ? parts[0][0] : parts.map(([state, count]) => count + " " + state).join(", ");
    return [of.rows[cell.row], of.columns[cell.column]].filter(Boolean).join(", ") + ": " + what;
  }

  function point(event, text) {
    if (!text) { tip?.remove(); tip = null; return; }
    if (!tip) { tip = document.createElement("div"); tip.className = "tip"; document.body.append(tip); }
    put(tip, text);
    // The policy forbids style attributes in HTML; a script may set them.
    tip.style.left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = event.clientY + 16 + "px";
  }

  // What is between two cells, as [first column, last column, first row, last row].
  const between = (a, b) => [Math.min(a.column, b.column), Math.max(a.column, b.column), Math.min(a.row, b.row), Math.max(a.row, b.row)];

  function draw(svg, [first, last, top, bottom]) {
    const of = figure(svg);
    let path = one(".brush", svg);
    if (!path) { path = document.createElementNS("http://www.w3.org/2000/svg", "path"); path.setAttribute("class", "brush"); svg.append(path); }
    const across = of.width + of.gap, down = of.height + of.gap;
    let d = "";
    for (let row = top; row <= bottom; row++) for (let column = first; column <= last; column++) {
      const slot = of.slots[column];
      d += `M${of.left + Math.floor(slot / of.per) * across - 1} ${of.top + row * of.block + slot % of.per * down - 1}h${across}v${down}h-${across}z`;
    }
    path.setAttribute("d", d);
  }

  function reference(svg, [first, last, top, bottom]) {
    const of = figure(svg), { heat, x, y, dims } = svg.dataset;
    const keys = of.columns.slice(first, last + 1);
    const said = {
      [x]: keys.length === 1 ? keys[0] : svg.hasAttribute("data-range") ? keys[0] + ".." + keys.at(-1) : keys.join("+"),
      [y]: of.rows.slice(top, bottom + 1).join("+"),
    };
    // As references are written everywhere: dimensions in the dataset's order.
    return heat + (dims ?? "").split(" ").filter((dim) => dim && said[dim]).map((dim) => `/${dim}=${said[dim]}`).join("");
  }

  const plain = (text) => encodeURIComponent(text).replaceAll("%2F", "/").replaceAll("%3D", "=").replaceAll("%3A", ":");

  document.addEventListener("pointerdown", (event) => {
    const svg = event.target.closest?.("svg.sel");
    const cell = svg && event.button === 0 && cellAt(svg, event);
    if (cell && cell.code !== "-") { brushing = { svg, from: cell, to: cell }; svg.setPointerCapture(event.pointerId); event.preventDefault(); }
  });
  document.addEventListener("pointermove", (event) => {
    const svg = brushing?.svg ?? event.target.closest?.("svg.heat");
    const cell = svg && cellAt(svg, event);
    if (brushing && cell) {
      brushing.to = cell;
      if (cell.row !== brushing.from.row || cell.column !== brushing.from.column) draw(svg, between(brushing.from, cell));
    }
    point(event, brushing ? cell && reference(svg, between(brushing.from, cell)) : cell && cell.code !== "-" && sayCell(svg, cell));
  });
  document.addEventListener("pointerup", () => {
    if (!brushing) return;
    const { svg, from, to } = brushing;
    brushing = null;
    const text = reference(svg, between(from, to));
    if (from.row === to.row && from.column === to.column) {
      if (from.code === "1" || /^1[a-z]1$/.test(from.code)) return location.assign("/partition?ref=" + plain(text));
      const column = figure(svg).columns[from.column];
      if (svg.hasAttribute("data-range")) return location.assign(here({ from: column, to: column, by: "", sel: "" }));
    }
    location.assign(here({ sel: text }) + "#selected");
  });
  document.addEventListener("pointercancel", () => { brushing = null; });

  // This page's address with other parameters.
  function here(changes) {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(changes)) if (value) url.searchParams.set(name, value); else url.searchParams.delete(name);
    const query = [...url.searchParams].map(([name, value]) => name + "=" + plain(value)).join("&");
    return url.pathname + (query && "?" + query);
  }

  // ---- Keys

  const places = {
    n: "/", d: "/datasets", r: "/runs", w: "/wants", p: "/plans", g: "/graph", q: "/queue", a: "/automation", t: "/timeline", c: "/changes", k: "/checks",
    e: "/events", s: "/server",
  };
  const help = [
    ["/", "go to a dataset, partition, run or want"], ["g n", "now"], ["g d", "datasets"], ["g r", "runs"], ["g w", "wants"], ["g p", "plans"],
    ["g g", "graph"], ["g q", "queue"], ["g t", "timeline"], ["g c", "changes"], ["g k", "checks"], ["g e", "events"], ["g s", "server"],
    ["j, k", "next and previous row"], ["Enter", "open the row"], ["\u2190, \u2192, \u2191, \u2193", "along the graph"], ["[, ]", "first and next page"], ["f", "search the log"], ["t", "theme"], ["?", "these keys"],
  ];
  let going = 0;

  function step(by) {
    const links = all("tbody tr").map((row) => one("a", row)).filter(Boolean);
    const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
  }

  // In the graph, to the left and to the right along the edges, up and down within a layer. Whether it went anywhere.
  function along(event) {
    const node = event.target.closest?.("svg.graph a"), nodes = node && all("a", node.ownerSVGElement);
    if (!node) return false;
    const side = (numbers) => nodes[(numbers || "-1").split(" ")[0]], left = (one) => one?.querySelector(".f-none").getAttribute("x");
    const beside = (by) => { const other = nodes[nodes.indexOf(node) + by]; return left(other) === left(node) ? other : undefined; };
    const to = {
      ArrowLeft: () => side(node.dataset.from), ArrowRight: () => side(node.dataset.to), ArrowUp: () => beside(-1), ArrowDown: () => beside(1),
    }[event.key]?.();
    to?.focus();
    return Boolean(to);
  }

  function showHelp() {
    const box = document.createElement("dialog");
    box.className = "card";
    const list = document.createElement("dl");
    list.className = "kv";
    for (const [keys, text] of help) {
      const name = document.createElement("dt"), what = document.createElement("dd"), key = document.createElement("kbd");
      key.textContent = keys;
      what.textContent = text;
      name.append(key);
      list.append(name, what);
    }
    const close = document.createElement("button");
    close.textContent = "Close";
    close.addEventListener("click", () => box.close());
    box.addEventListener("close", () => box.remove());
    box.setAttribute("aria-label", "Keys");
    box.append(list, close);
    document.body.append(box);
    box.showModal();
  }

  function nextTheme() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    // From what the system says to its opposite, then to what it says.
    const order = dark ? ["", "light", "dark"] : ["", "dark", "light"];
    const next = order[(order.indexOf(kept.get("theme") ?? "") + 1) % 3];
    kept.set("theme", next);
    themed(next);
    nameTheme();
  }

  function nameTheme() {
    const button = one("#theme");
    if (!button) return;
    button.hidden = false;
    button.textContent = { light: "Light", dark: "Dark" }[kept.get("theme")] ?? "Auto";
    button.title = "Theme: " + button.textContent.toLowerCase() + " (t)";
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
    if (types(event.target)) { if (event.key === "Escape") event.target.blur(); return; }
    if (going && Date.now() - going < 1500 && places[event.key]) { going = 0; return location.assign(places[event.key]); }
    going = event.key === "g" ? Date.now() : 0;
    if (along(event)) return event.preventDefault();
    const does = {
      "/": () => one("#go")?.focus(), j: () => step(1), k: () => step(-1), t: nextTheme, "?": showHelp,
      "[": () => one("a[rel=first]")?.click(), "]": () => one("a[rel=next]")?.click(), f: () => one("input[name=search]")?.focus(),
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  });

  document.addEventListener("DOMContentLoaded", () => {
    seq = Number(document.body.dataset.seq);
    one("#theme")?.addEventListener("click", nextTheme);
    nameTheme();
    const log = one(".log[data-end]");
    if (log) log.scrollTop = log.scrollHeight;
    one(".graph .mid")?.scrollIntoView({ block: "nearest", inline: "center" });
    tick();
    setInterval(tick, 1000);
    follow();
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) quit(); else { tick(); follow(); } });
  addEventListener("pagehide", quit);
  addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
})();
