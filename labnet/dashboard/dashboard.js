"use strict";
// The page: a stream of what changes, lists that are updated in place, and one conversation on demand.
(() => {
  const { by, make, counted, size, duration, shortly } = Words;
  const SECONDS = 300;
  const MOST_ROWS = 200;
  const token = document.querySelector("meta[name=dashboard-token]").content;

  // The token does not stay in the address, where others may read it from the screen.
  sessionStorage.setItem("token", token);
  if (location.search) history.replaceState(null, "", location.pathname);

  const ask = async (path, options = {}) => {
    const answer = await fetch(path, {
      ...options, cache: "no-store", headers: { Authorization: `Bearer ${token}`, ...options.headers },
    });
    if (!answer.ok) {
      const value = await answer.json().catch(() => ({}));
      const problem = new Error(value.error || `The server answers ${answer.status}.`);
      problem.status = answer.status;
      throw problem;
    }
    return answer;
  };

  const state = {
    paused: false, services: [], rows: new Map(), more: 0, points: [], second: 0, now: 0, panels: {},
    service: "", where: "", selected: 0,
  };

  // A list one moves through with the arrow keys; what is chosen is what is active.

  class List {
    constructor(element, choose, enter) {
      this.element = element;
      this.items = new Map();
      this.active = null;
      this.choose = choose;
      element.addEventListener("keydown", (event) => this.key(event, enter));
      element.addEventListener("click", (event) => {
        const item = event.target.closest("[role=option]");
        if (item) { this.activate(item.dataset.key, true); enter(item.dataset.key, true); }
      });
    }

    key(event, enter) {
      const items = [...this.element.querySelectorAll("[role=option]")];
      const now = items.findIndex((item) => item.dataset.key === this.active);
      const page = Math.max(1, Math.floor(this.element.clientHeight / (items[0]?.offsetHeight || 40)) - 1);
      const to = { ArrowDown: now + 1, ArrowUp: Math.max(0, now - 1), Home: 0, End: items.length - 1,
        PageDown: now + page, PageUp: now - page }[event.key];
      if (event.key === "Enter" && this.active !== null) { event.preventDefault(); enter(this.active, false); }
      if (to === undefined || !items.length) return;
      event.preventDefault();
      this.activate(items[Math.max(0, Math.min(items.length - 1, to))].dataset.key, true);
    }

    activate(key, chosen) {
      this.active = key;
      for (const item of this.element.querySelectorAll("[role=option]")) {
        item.setAttribute("aria-selected", String(item.dataset.key === key));
        if (item.dataset.key === key) {
          this.element.setAttribute("aria-activedescendant", item.id);
          if (chosen) item.scrollIntoView({ block: "nearest" });
        }
      }
      if (chosen) this.choose(key);
    }

    // In this order; an item whose text is as it was is not touched.
    show(keyed) {
      const before = this.items;
      this.items = new Map();
      let place = this.element.firstElementChild;
      for (const [key, signature, fill] of keyed) {
        let entry = before.get(key);
        if (!entry) {
          const item = make("div", "");
          item.setAttribute("role", "option");
          item.id = `${this.element.id}-${key.replace(/[^\w-]/g, "_")}`;
          item.dataset.key = key;
          item.setAttribute("aria-selected", String(key === this.active));
          entry = { item, signature: null };
        }
        before.delete(key);
        if (entry.signature !== signature) { fill(entry.item); entry.signature = signature; }
        if (entry.item !== place) this.element.insertBefore(entry.item, place);
        else place = place.nextElementSibling;
        this.items.set(key, entry);
      }
      for (const { item } of before.values()) item.remove();
      if (!this.items.has(this.active)) this.element.removeAttribute("aria-activedescendant");
    }
  }

  // Services

  const services = new List(by("services"), (key) => {
    const [service, where] = key.split("|");
    state.service = service;
    state.where = where || "";
    listServices();
    reopen(150);
  }, (key, clicked) => {
    view("connections");
    if (!clicked) by("connections").focus();
  });

  const listServices = () => {
    const groups = new Map();
    for (const row of state.services) {
      if (!groups.has(row.service)) groups.set(row.service, []);
      groups.get(row.service).push(row);
    }
    const open = (rows) => rows.reduce((sum, row) => sum + (row.open || 0), 0);
    const served = (row) => {
      const handled = row.served ?? row.answered ?? 0;
      const lost = (row.refused || 0) + (row.dropped || 0);
      return [handled ? `${handled.toLocaleString("en")} so far` : "",
        lost ? `${lost.toLocaleString("en")} refused` : ""].filter(Boolean).join(", ");
    };
    const keyed = [["|", `all ${open(state.services)}`, (item) => {
      item.className = "all";
      item.replaceChildren(make("b", "", "All services"), make("span"), count(open(state.services)));
    }]];
    for (const [name, rows] of groups) {
      const where = rows.length > 1 ? counted(rows.length, "listener")
        : [shortly(rows[0].address), state.service === name ? served(rows[0]) : ""].filter(Boolean).join(", ");
      const faults = rows.find((row) => row.faults)?.faults || "";
      keyed.push([`${name}|`, JSON.stringify([rows.length, open(rows), where, faults]), (item) => {
        item.className = "service";
        const mark = faults ? make("span", "tag", "faults") : "";
        if (mark) mark.title = faults;
        item.replaceChildren(make("span", "", make("b", "", name), mark),
          make("span", "faint", where), count(open(rows)));
      }]);
      if (state.service !== name || rows.length < 2) continue;
      for (const row of rows) {
        keyed.push([`${name}|${row.where}`, JSON.stringify(row), (item) => {
          item.className = "listener";
          item.replaceChildren(
            make("span", "", row.detail ? `${row.detail} ` : "", make("span", "faint", shortly(row.address))),
            make("span", "faint", served(row)), count(row.open || 0));
        }]);
      }
    }
    services.show(keyed);
    suggest();
    if (services.active === null) services.activate("|", false);
  };

  // Something that makes a connection here.
  const suggest = () => {
    const listening = state.services.filter((row) => row.service !== "dashboard" && row.address.startsWith("tcp:"));
    const calculator = listening.find((row) => row.service === "calculator" && row.detail === "struct9");
    const [, host, port] = (calculator || listening[0] || { address: "" }).address
      .match(/^tcp:(.*):(\d+)$/) || [];
    if (!port) return;
    const there = calculator && port !== "9000" ? `--connect tcp:${host}:${port} ` : "";
    by("try").textContent = calculator ? `labnet calculator ${there}12 + 34` : `labnet nc ${host} ${port}`;
  };

  const count = (number) => make("span", number ? "count some" : "count", number ? String(number) : "");

  // Connections

  const connections = new List(by("connections"), (key) => select(Number(key), 120), (key, clicked) => {
    view("details");
    Panels.tab("conversation");
    if (!clicked) by("rungs").focus();
  });

  const BROKEN = /reset|lost|abort|timed out/;

  const kindOf = (row) => {
    if (row.closed === null) return "open";
    return BROKEN.test(row.outcome) ? "broken" : "ended";
  };

  // What never changes in a row, and the cells that do: with a thousand of them it matters.
  const cellsOf = (item, row) => {
    const cells = [make("span", "in"), make("span", "out"), make("span", "")];
    item.replaceChildren(
      make("div", "", make("span", "dot"), make("span", "name", make("b", "", row.service), ` ${row.detail}`),
        make("span", "faint right", `#${row.id}`)),
      make("div", "", make("span", "faint peer", `${row.transport === "tcp" ? "" : `${row.transport} `}${row.peer}`),
        make("span", "faint right", cells[0], " ", cells[1], " ", cells[2])));
    return cells;
  };

  const write = (cell, text) => { if (cell.textContent !== text) cell.textContent = text; };

  const listConnections = () => {
    const rows = [...state.rows.values()].sort((a, b) => b.id - a.id);
    for (const row of rows.splice(MOST_ROWS)) { state.rows.delete(row.id); state.more += 1; }
    connections.show(rows.map((row) => [String(row.id), row, (item) => {
      const kind = kindOf(row);
      if (!item.cells) item.cells = cellsOf(item, row);
      if (item.className !== `connection ${kind}`) item.className = `connection ${kind}`;
      const [taken, sent, how] = item.cells;
      write(taken, `→ ${size(row.bytes[0])}`);
      write(sent, `← ${size(row.bytes[1])}`);
      const broken = kind === "broken" ? `${row.outcome.match(BROKEN)[0]} ` : "";
      write(how, kind === "open" ? "open" : `${broken}${duration(row.closed - row.opened)}`);
      how.title = row.outcome;
    }]));
    const filtered = state.service || by("text").value.trim() || by("which").value;
    by("more").textContent = state.more ? `and ${state.more.toLocaleString("en")} more`
      : rows.length ? "" : filtered ? "None of these yet." : "Nobody has connected yet.";
    if (connections.active === null && state.selected) connections.activate(String(state.selected), false);
  };

  // One conversation

  let selecting = null;
  let showing = 0;
  let loading = false;
  let again = false;

  const select = (id, wait = 0) => {
    state.selected = id;
    clearTimeout(selecting);
    selecting = setTimeout(() => load(id), wait);
  };

  // One request at a time: what comes is always what follows on what is there.
  const load = async (id) => {
    if (loading) { again = true; return; }
    loading = true;
    try {
      const answer = await (await ask(`conversation?id=${id}&after=${showing === id ? Ladder.last : 0}`)).json();
      if (id === state.selected) {
        if (showing !== id) begin(id);
        Ladder.show(answer);
      }
    } catch (problem) {
      if (id === state.selected && problem.status === 404) {
        if (showing !== id) begin(id);
        Ladder.fail(problem.message);
      }
    } finally {
      loading = false;
      if (again || id !== state.selected) { again = false; load(state.selected); }
    }
  };

  const begin = (id) => {
    showing = id;
    by("invitation").hidden = true;
    by("ladder").hidden = false;
    by("conversation").scrollTop = 0;
    Ladder.begin(id);
  };

  by("further").addEventListener("click", () => load(state.selected));

  // What the list does not show may go on, too.
  setInterval(() => {
    const shown = Ladder.conversation;
    if (stream && shown && shown.closed === null && !state.rows.has(shown.id)) load(shown.id);
  }, 1000);

  // Rates

  const plot = () => {
    const points = state.points.slice(-SECONDS);
    const most = Math.max(1, ...points.map((point) => Math.max(point[1], point[2])));
    const area = (index, sign) => {
      const height = (point) => (32 - sign * 30 * Math.sqrt(point[index] / most)).toFixed(1);
      const first = SECONDS - points.length;
      return `M${first},32 ${points.map((point, at) => `L${first + at},${height(point)}`).join(" ")} L300,32 Z`;
    };
    by("plot-in").setAttribute("d", area(1, 1));
    by("plot-out").setAttribute("d", area(2, -1));
    const recent = points.slice(-5);
    const mean = (index) => recent.reduce((sum, point) => sum + point[index], 0) / (recent.length || 1);
    by("rate-in").textContent = `${size(Math.round(mean(1)))}/s`;
    by("rate-out").textContent = `${size(Math.round(mean(2)))}/s`;
    by("rate-new").textContent = `${mean(0) && mean(0) < 10 ? mean(0).toFixed(1) : Math.round(mean(0))}/s`;
    by("plot-most").textContent = most > 1 ? `most in a second: ${size(most)}` : "";
    by("plot").setAttribute("aria-label", `The last five minutes: at most ${size(most > 1 ? most : 0)} a second`);
  };

  // Views, on a narrow screen

  const view = (name) => {
    document.body.dataset.view = name;
    for (const button of by("views").children) {
      if (button.dataset.view === name) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  };
  by("views").addEventListener("click", (event) => {
    if (event.target.dataset.view) view(event.target.dataset.view);
  });

  // The stream

  const take = (message) => {
    state.now = message.now;
    if (message.kind === "state") state.rows.clear();
    for (const row of message.rows || []) state.rows.set(row.id, row);
    for (const id of message.gone || []) state.rows.delete(id);
    if (message.more !== undefined) state.more = message.more;
    if (message.rates) {
      if (message.second !== state.second) state.points = [];
      state.points.push(...message.rates);
      state.points.splice(0, state.points.length - SECONDS);
      state.second = message.second + message.rates.length;
      plot();
    }
    if (message.services) { state.services = message.services; listServices(); }
    if (message.rows || message.gone) listConnections();
    if (message.panels) state.panels = message.panels;
    if (message.panels || message.rates) Panels.show(state.panels, message.now);
    if ((message.rows || []).some((row) => row.id === state.selected)) load(state.selected);
    say(message.kind === "summary" ? "this browser reads slowly: summaries only" : "live",
      message.kind === "summary" ? "slow" : "live");
  };

  let held = 0;

  const say = (text, kind, seconds = 0) => {
    // A problem stays for as long as it takes to read.
    if (!seconds && Date.now() < held) return;
    held = Date.now() + 1000 * seconds;
    if (by("state").textContent !== text) by("state").textContent = text;
    by("state").className = kind;
  };

  let stream = null;
  let opening = null;

  const close = () => {
    clearTimeout(opening);
    if (stream) stream.abort();
    stream = null;
  };

  const reopen = (wait = 0) => {
    close();
    if (!state.paused && !document.hidden) opening = setTimeout(listen, wait);
  };

  const selection = () => new URLSearchParams({ service: state.service, where: state.where,
    text: by("text").value, state: by("which").value });

  const listen = async () => {
    const mine = stream = new AbortController();
    try {
      const answer = await ask(`events?${selection()}`, { signal: mine.signal });
      state.second = 0;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let buffer = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("The lab has ended the stream.");
        const messages = (buffer + value).split("\n\n");
        buffer = messages.pop();
        for (const message of messages) {
          if (stream === mine && message.startsWith("data: ")) take(JSON.parse(message.slice(6)));
        }
      }
    } catch (problem) {
      if (stream !== mine) return;
      stream = null;
      if (problem.status === 401) { say("the lab has started anew: open the URL in its log", "lost"); return; }
      say(problem.status ? problem.message : "connection lost; trying again", "lost");
      opening = setTimeout(listen, 2000);
    }
  };

  by("pause").addEventListener("click", () => {
    state.paused = !state.paused;
    by("pause").setAttribute("aria-pressed", String(state.paused));
    by("pause").textContent = state.paused ? "Go on" : "Pause";
    if (state.paused) { close(); say("paused", "paused"); } else reopen();
  });
  // Who does not look is told nothing.
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else reopen(); });
  by("filter").addEventListener("submit", (event) => { event.preventDefault(); reopen(); });
  by("text").addEventListener("input", () => reopen(250));
  by("which").addEventListener("change", () => reopen());

  // Files

  const save = async (button, query) => {
    button.disabled = true;
    try {
      const answer = await ask(`export.pcapng${query}`);
      const link = make("a", "");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = "labnet.pcapng";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (problem) {
      say(problem.message, "lost", 5);
    } finally {
      button.disabled = false;
    }
  };
  by("export").addEventListener("click", () => save(by("export"), `?${selection()}`));
  by("export-one").addEventListener("click", () => save(by("export-one"), `?text=%23${state.selected}`));

  Panels.start(ask);
  listServices();
  listConnections();
  reopen();
})();
