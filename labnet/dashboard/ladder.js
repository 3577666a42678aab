"use strict";
// One conversation as a ladder. Whatever a peer sent goes into the document as text, never as markup.
const Ladder = (() => {
  const { by, make, counted, size, duration, clock } = Words;
  const SILENCE = 0.2;    // seconds from which a pause is pointed out
  const MOST = 2000;      // rungs that are shown
  const LONG = 200;       // rungs
  const FIRST = 128;      // bytes of a piece that are shown at first
  const HUES = 6;
  const WIDE = 640;       // pixels from which a line has 16 bytes; else 8

  let wide = true;
  let conversation = null;   // what is shown: its row
  let last = 0;              // the number of the last event that is there
  let lastAt = 0;
  let pieces = { received: [], written: [] };
  let rungs = new Map();

  const streams = () => conversation.transport !== "udp";

  // Bytes: a line for each 16 or 8, runs of one field together.

  const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

  const hex = (byte) => byte.toString(16).padStart(2, "0");

  const seen = (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·");

  const paint = (piece) => {
    const width = wide ? 16 : 8;
    const shown = piece.whole ? piece.data.length : Math.min(piece.data.length, piece.most);
    const marks = new Array(shown).fill(-1);
    for (const found of piece.fields) {
      if (!found.level) continue;
      const from = Math.max(0, found.start - piece.offset);
      const to = Math.min(shown, found.end - piece.offset);
      for (let at = from; at < to; at += 1) marks[at] = found.mark;
    }
    const lines = document.createDocumentFragment();
    for (let start = 0; start < shown; start += width) {
      const end = Math.min(start + width, shown);
      const codes = make("span", "hex");
      const text = make("span", "text");
      for (let at = start; at < end;) {
        let to = at + 1;
        while (to < end && marks[to] === marks[at]) to += 1;
        const run = Array.from(piece.data.subarray(at, to));
        const tint = marks[at] < 0 ? "" : `f${hues[marks[at]]}`;
        for (const [into, content] of [[codes, run.map(hex).join(" ")], [text, run.map(seen).join("")]]) {
          const span = make("span", tint, content);
          if (marks[at] >= 0) span.dataset.field = marks[at];
          into.append(span);
          if (into === codes && to < end) into.append(" ");
        }
        at = to;
      }
      lines.append(make("div", "line", make("span", "at", String(piece.offset + start)), codes, text));
    }
    piece.dump.replaceChildren(lines);
    if (piece.data.length > shown) {
      const all = make("button", "link", `Show all ${piece.data.length.toLocaleString("en")} bytes`);
      all.type = "button";
      all.addEventListener("click", () => { piece.whole = true; paint(piece); });
      piece.dump.append(all);
    }
    if (piece.size > piece.data.length) {
      piece.dump.append(make("p", "faint",
        `Only the first ${counted(piece.data.length, "byte")} of ${piece.size.toLocaleString("en")} are kept.`));
    }
  };

  // Fields: a line for a message, and what it is made of.

  const highlight = (mark, on) => {
    for (const span of by("rungs").querySelectorAll(`[data-field="${mark}"]`)) span.classList.toggle("lit", on);
  };

  const hues = [];           // by field, its colour: what has one name has one colour
  const named = new Map();

  // The pieces that share these bytes; they are among the last ones.
  const within = (lane, start, end) => {
    const found = [];
    for (let at = lane.length - 1; at >= 0 && lane[at].offset + lane[at].size > start; at -= 1) {
      if (lane[at].offset < end && lane[at].size) found.unshift(lane[at]);
    }
    return found;
  };

  const describe = (piece, given, omitted) => {
    const list = make("div", "fields");
    let parts = null;
    for (const [start, end, name, value, level] of given) {
      const found = { start, end, name, value, level, mark: hues.length };
      if (level && !named.has(name)) named.set(name, named.size % HUES);
      hues.push(named.get(name));
      const over = streams() ? within(piece.lane, start, end) : [piece];
      for (const one of over) one.fields.push(found);
      for (const one of over) if (one !== piece) paint(one);
      if (!level) {
        const line = make("p", "message", make("b", "", name), value ? ` ${value}` : "");
        if (over.length > 1) line.append(make("span", "tag", `over ${over.length} pieces`));
        if (name === "not understood" || name === "cut off") line.classList.add("bad");
        list.append(line);
        parts = null;
        continue;
      }
      if (!parts) { parts = make("ul", "parts"); list.append(parts); }
      const part = make("li", `f${hues[found.mark]}`, make("span", "", name));
      if (value) part.append(make("b", "", value));
      if (over.length > 1) part.append(make("i", "", `in ${over.length} pieces`));
      part.dataset.field = found.mark;
      part.addEventListener("pointerenter", () => highlight(found.mark, true));
      part.addEventListener("pointerleave", () => highlight(found.mark, false));
      parts.append(part);
    }
    if (omitted) list.append(make("p", "faint", `and ${counted(omitted, "more field")}`));
    return list;
  };

  const said = {
    received: (rung) => counted(rung.size, "byte"),
    written: (rung) => counted(rung.size, "byte"),
    opened: () => (streams() ? "connection opened" : "first datagram"),
    "peer ended": () => "the peer ends its half (FIN)",
    "we ended": () => "we end our half",
    closed: (rung) => (rung.note.startsWith("closed") ? rung.note : `closed: ${rung.note}`),
    fault: (rung) => rung.note,
    note: (rung) => rung.note,
  };

  const addPiece = (item, rung) => {
    const lane = pieces[rung.what];
    const piece = {
      lane, offset: rung.offset, size: rung.size, data: bytesOf(rung.data), fields: [],
      most: FIRST, whole: false, dump: make("div", "dump"),
    };
    if (piece.data.length <= FIRST * 1.25) piece.most = piece.data.length;
    lane.push(piece);
    const fields = rung.fields ? describe(piece, rung.fields, rung.omitted) : "";
    const messages = (rung.fields || []).filter((found) => !found[4]).length;
    const title = make("p", "what", make("span", "arrow", rung.what === "received" ? "→" : "←"),
      make("b", "", said[rung.what](rung)),
      make("span", "faint", `${streams() ? "piece" : "datagram"} ${rung.piece}`));
    if (messages > 1) title.append(make("span", "tag", `${messages} messages in one piece`));
    item.append(make("div", "lane", make("div", "card", title, fields, piece.dump), make("span", "reach")));
    paint(piece);
  };

  const add = (rung) => {
    const list = by("rungs");
    if (lastAt && rung.at - lastAt >= SILENCE) {
      list.append(make("li", "gap", make("span", "", `${duration(rung.at - lastAt)} of silence`)));
    }
    lastAt = rung.at;
    last = rung.n;
    const item = make("li", `rung ${rung.what.replace(" ", "-")}`);
    item.tabIndex = -1;
    const time = make("time", "", `+${duration(rung.at - conversation.opened)}`);
    time.title = clock(rung.at);
    item.append(time);
    if (rung.data !== undefined) addPiece(item, rung);
    else item.append(make("p", "line-note", said[rung.what] ? said[rung.what](rung) : rung.what));
    if (rung.data === undefined && rung.fields) {
      item.append(make("div", "card", describe({ lane: [], fields: [] }, rung.fields, rung.omitted)));
    }
    rungs.set(rung.n, item);
    list.append(item);
    if (rungs.size > MOST) forget();
    // Beyond that what is not seen is not laid out, though screen readers then hear of it later, too.
    list.classList.toggle("long", rungs.size > LONG);
  };

  // A conversation that goes on and on: what is not kept any more goes here, too.
  const forget = () => {
    const list = by("rungs");
    const [number, item] = rungs.entries().next().value;
    rungs.delete(number);
    for (const what of ["received", "written"]) if (item.classList.contains(what)) pieces[what].shift();
    while (list.firstElementChild !== item) list.firstElementChild.remove();
    item.remove();
  };

  const facts = (row) => {
    const pairs = [
      ["peer", row.peer],
      [row.outgoing ? "from" : "at", `${row.transport}${row.secure ? " (TLS)" : ""} ${row.local}`],
      ["opened", clock(row.opened)],
      ["in", `${size(row.bytes[0])} in ${counted(row.pieces[0], "piece")}`],
      ["out", `${size(row.bytes[1])} in ${counted(row.pieces[1], "piece")}`],
      row.closed === null ? ["state", "open"]
        : ["ended", `${row.outcome || "closed"}, after ${duration(row.closed - row.opened)}`],
    ];
    by("facts").replaceChildren(...pairs.map(([name, value]) =>
      make("div", "", make("dt", "", name), make("dd", "", value))));
  };

  // What there is to notice, and where it is seen. There are only ever more of these sentences.

  const pointTo = (numbers) => {
    for (const item of by("rungs").querySelectorAll(".noticed")) item.classList.remove("noticed");
    const items = numbers.map((number) => rungs.get(number)).filter(Boolean);
    for (const item of items) item.classList.add("noticed");
    if (!items.length) return;
    items[0].scrollIntoView({ block: "center" });
    items[0].focus({ preventScroll: true });
  };

  const point = (notices) => {
    const list = by("notices").querySelector("ul");
    for (const notice of notices.slice(list.childElementCount)) {
      const where = make("button", "link", "Show me");
      where.type = "button";
      where.setAttribute("aria-label", `Show me: ${notice.text}`);
      where.addEventListener("click", () => pointTo(notice.events));
      list.append(make("li", "", `${notice.text} `, where));
    }
    by("notices").hidden = !list.childElementCount;
  };

  const show = (answer) => {
    const atEnd = by("conversation").scrollHeight - by("conversation").scrollTop
      - by("conversation").clientHeight < 80;
    conversation = answer.conversation;
    by("ladder-title").textContent =
      `#${conversation.id} ${conversation.service}${conversation.detail ? ` · ${conversation.detail}` : ""}`;
    by("lane-peer").textContent = conversation.peer;
    by("lane-ours").textContent = conversation.service;
    facts(conversation);
    if (answer.forgotten && !rungs.size) {
      by("rungs").append(make("li", "gap",
        make("span", "", `${counted(answer.forgotten, "event")} before this, not kept`)));
    }
    const grew = rungs.size > 0 && answer.rungs.length > 0;
    for (const rung of answer.rungs) add(rung);
    by("problem").hidden = !answer.problem;
    by("problem").textContent = answer.problem;
    by("further").hidden = !answer.more;
    point(answer.notices);
    if (grew && atEnd) by("conversation").scrollTop = by("conversation").scrollHeight;
  };

  const fit = (width) => {
    if (!width || wide === (width >= WIDE)) return;
    wide = !wide;
    by("rungs").classList.toggle("narrow", !wide);
    for (const lane of Object.values(pieces)) for (const piece of lane) paint(piece);
  };

  const fail = (why) => {
    by("problem").hidden = false;
    by("problem").textContent = why;
  };

  const begin = (id) => {
    by("ladder-title").textContent = `#${id}`;
    by("facts").replaceChildren();
    by("notices").hidden = true;
    by("further").hidden = true;
    conversation = null;
    last = 0;
    lastAt = 0;
    hues.length = 0;
    named.clear();
    pieces = { received: [], written: [] };
    rungs = new Map();
    by("notices").querySelector("ul").replaceChildren();
    by("rungs").replaceChildren();
    by("rungs").classList.remove("long");
    fit(by("rungs").clientWidth);
  };

  new ResizeObserver(([{ contentRect }]) => fit(contentRect.width)).observe(by("rungs"));

  by("rungs").addEventListener("keydown", (event) => {
    const items = [...by("rungs").querySelectorAll(".rung")];
    const now = items.indexOf(document.activeElement.closest(".rung"));
    const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined || event.target.tagName === "BUTTON" || !items.length) return;
    event.preventDefault();
    items[Math.max(0, Math.min(items.length - 1, to))].focus();
  });

  return { begin, show, fail, get last() { return last; }, get conversation() { return conversation; } };
})();
