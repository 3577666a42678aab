"use strict";
// What there is beside the conversation: what single services know, and the faults.
const Panels = (() => {
  const { by, make, duration, clock, shortly } = Words;
  let told = {};
  let now = 0;
  let ask = null;

  const table = (head, rows) => {
    const body = make("tbody", "", ...rows.map((cells) => make("tr", "", ...cells.map((cell, at) => {
      const data = make("td", "", cell);
      data.dataset.name = head[at];
      return data;
    }))));
    return make("table", "", make("thead", "", make("tr", "", ...head.map((name) => make("th", "", name)))), body);
  };

  const panels = {
    decisions: (records) => [table(["when", "request", "decision", "why"], records.map((record) => [
      clock(record.at),
      make("span", "url", `${record.method} ${record.url}`),
      make("span", `decision ${record.decision}`, `${record.decision}${record.status ? ` ${record.status}` : ""}`),
      record.why || "",
    ])), records.length ? "" : make("p", "empty faint", "The proxy has not been asked yet.")],
    registry: ({ total, leases }) => [table(["name", "address", "for another", "registered by"], leases.map((lease) => [
      lease.name, lease.address, duration(lease.ends - now), lease.source,
    ])), make("p", "faint", total > leases.length ? `and ${total - leases.length} more`
      : total ? "" : "Nothing is registered.")],
    members: ({ total, members }) => [table(["name", "comes by"], members.map((member) => [member.name, member.way])),
      make("p", "faint", total > members.length ? `and ${total - members.length} more`
        : total ? "" : "Nobody is in the room.")],
  };

  const signatures = new Map();

  const showPanels = () => {
    for (const [name, fill] of Object.entries(panels)) {
      const known = told[name];
      by(`tab-${name}`).hidden = known === undefined;
      // What has not changed is left alone, so that somebody can read and copy it.
      const signature = JSON.stringify(name === "registry" ? [known, Math.floor(now)] : known);
      if (known === undefined || by(name).hidden || signatures.get(name) === signature) continue;
      signatures.set(name, signature);
      by(name).replaceChildren(...fill(known).filter(Boolean));
    }
    by("tab-faults").hidden = !told.faults;
    if (told.faults) showFaults(told.faults);
  };

  // Faults: a form for each switch, which is not touched while somebody types.

  const switches = new Map();

  const addSwitch = ({ number, service, where }) => {
    const form = make("form", "switch");
    const input = make("input", "");
    input.setAttribute("aria-label", `Faults of ${service}`);
    input.setAttribute("list", "examples");
    input.placeholder = "for example cut=3 delay=40ms";
    input.maxLength = 1000;
    input.spellcheck = false;
    input.autocomplete = "off";
    const off = make("button", "", "Off");
    off.type = "button";
    const on = make("button", "", "Break it");
    on.type = "submit";
    const state = make("p", "now faint");
    const problem = make("p", "problem");
    problem.setAttribute("role", "alert");
    form.append(make("h3", "", service, " ", make("span", "faint", where.map(shortly).join("  "))),
      make("div", "row", input, on, off), state, problem);
    const turn = async (line) => {
      problem.textContent = "";
      try {
        const answer = await ask(`faults?number=${number}`, { method: "POST", body: line });
        const inForce = (await answer.json()).line;
        // Until the lab tells of it by itself.
        for (const row of told.faults || []) if (row.number === number) row.line = inForce;
        said(inForce);
      } catch (failure) {
        problem.textContent = failure.message;
        input.focus();
      }
    };
    const said = (line) => {
      state.textContent = line ? `On, for connections from now on: ${line}` : "";
      form.classList.toggle("on", Boolean(line));
      off.disabled = !line;
    };
    form.addEventListener("submit", (event) => { event.preventDefault(); turn(input.value); });
    off.addEventListener("click", () => turn(""));
    by("switches").append(form);
    switches.set(number, said);
  };

  const showFaults = (rows) => {
    for (const row of rows) {
      if (!switches.has(row.number)) addSwitch(row);
      switches.get(row.number)(row.line);
    }
  };

  const tab = (name) => {
    for (const button of by("tabs").children) {
      const chosen = button.id === `tab-${name}`;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      by(button.getAttribute("aria-controls")).hidden = !chosen;
      if (chosen) button.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    showPanels();
  };

  by("tabs").addEventListener("click", (event) => {
    const button = event.target.closest("[role=tab]");
    if (button) tab(button.getAttribute("aria-controls"));
  });
  by("tabs").addEventListener("keydown", (event) => {
    const buttons = [...by("tabs").children].filter((button) => !button.hidden);
    const now = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const button = buttons[(to + buttons.length) % buttons.length];
    tab(button.getAttribute("aria-controls"));
    button.focus();
  });

  return {
    tab,
    start: (asking) => { ask = asking; },
    show: (given, at) => { told = given; now = at; showPanels(); },
  };
})();
